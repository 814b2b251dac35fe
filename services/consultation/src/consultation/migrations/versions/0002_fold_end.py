"""Which of two an end is, where the zone has its local time twice and it is not in the start's reading (S1)."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE feedback_session ADD COLUMN fold_end smallint")
