"""How people are called, for the calendar's events: a practitioner's profile says it, else the contact does.

Rows that are there are filled by the consumer, which has a new name: it reads the topics of people from their
beginning.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE practitioner ADD COLUMN name text")
    op.execute("ALTER TABLE person_locale ADD COLUMN name text")
    op.execute("GRANT UPDATE ON practitioner TO {app}")
    op.execute("DELETE FROM held WHERE consumer = 'calendar-projector'")  # the same records are held by the new one


def downgrade() -> None:
    op.execute("REVOKE UPDATE ON practitioner FROM {app}")
    op.execute("ALTER TABLE practitioner DROP COLUMN name")
    op.execute("ALTER TABLE person_locale DROP COLUMN name")
