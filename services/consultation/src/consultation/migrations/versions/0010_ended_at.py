"""When a meeting was over, where its practitioner said so (S8)."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE feedback_session ADD COLUMN ended_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE feedback_session DROP COLUMN ended_at")
