"""Which language a person chose at the notifier: the calendar's words to them, and their feeds', are in it (N2)."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""CREATE TABLE person_language (
        person_id uuid PRIMARY KEY,
        language  text NOT NULL CHECK (language IN ('id', 'en')))""")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON person_language TO {app}")


def downgrade() -> None:
    op.execute("DROP TABLE person_language")
