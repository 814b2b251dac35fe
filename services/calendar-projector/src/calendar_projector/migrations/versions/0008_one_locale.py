"""Which locale a person has: the calendar's words to them, and their feeds', are in its language (N2).

It is the directory's, told by contacts; what was chosen at the notifier is no more.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TOPIC = "'booking.notifier.preferences.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE TABLE person_locale (person_id uuid PRIMARY KEY, locale text NOT NULL)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON person_locale TO {app}")
    op.execute("DROP TABLE person_language")
    op.execute(f"DELETE FROM held WHERE topic = {_TOPIC}")
    op.execute(f"DELETE FROM inbox WHERE topic = {_TOPIC}")


def downgrade() -> None:
    op.execute("DROP TABLE person_locale")
    op.execute("""CREATE TABLE person_language (
        person_id uuid PRIMARY KEY,
        language  text NOT NULL CHECK (language IN ('id', 'en')))""")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON person_language TO {app}")
