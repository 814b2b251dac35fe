"""Who was erased: no address of a calendar is made for them again, however long their token is still valid (E4)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE TABLE erased_person (person_id uuid PRIMARY KEY, erased_at timestamptz NOT NULL DEFAULT now())")
    op.execute("GRANT SELECT, INSERT ON erased_person TO {app}")


def downgrade() -> None:
    op.execute("DROP TABLE erased_person")
