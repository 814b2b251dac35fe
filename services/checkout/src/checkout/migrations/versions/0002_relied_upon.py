"""What a command relies upon beside its stream: whether a session has begun (P2), and who is erased (E4)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Volatile, so that it looks anew after it has waited: the calling statement began before the erasure was committed.
IS_ERASED = """
CREATE FUNCTION is_erased(persons uuid[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('erase:' || person, 0))
    FROM (SELECT person FROM unnest(persons) AS person WHERE person IS NOT NULL ORDER BY person) sorted;
    RETURN EXISTS (SELECT 1 FROM erasure WHERE person_id = ANY(persons));
END
$$
"""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE transaction ADD COLUMN session_begun boolean NOT NULL DEFAULT false")
    op.execute(
        "UPDATE transaction SET session_begun = true WHERE id IN (SELECT transaction_id FROM consulted_session"
        " WHERE status IN ('on_progress', 'completed'))"
    )
    op.execute(IS_ERASED)


def downgrade() -> None:
    op.execute("DROP FUNCTION is_erased(uuid[])")
    op.execute("ALTER TABLE transaction DROP COLUMN session_begun")
