"""Whether a person is erased, asked by the append whenever it keeps somebody's words (E4)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Volatile, so that it looks anew after it has waited: the calling statement began before the erasure was committed.
IS_ERASED = """
CREATE FUNCTION is_erased(persons uuid[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('erase:' || person, 0))
    FROM (SELECT person FROM unnest(persons) AS person WHERE person IS NOT NULL ORDER BY person) sorted;
    RETURN EXISTS (SELECT 1 FROM erased_person WHERE person_id = ANY(persons));
END
$$
"""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(IS_ERASED)


def downgrade() -> None:
    op.execute("DROP FUNCTION is_erased(uuid[])")
