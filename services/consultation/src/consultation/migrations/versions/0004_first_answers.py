"""The first answer to a write without a stream is kept with its idempotency key, since its row forgets it."""

from alembic import op

from booking_process.migrations import ddl

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(ddl("booking_web", "idempotency_v2"))


def downgrade() -> None:
    op.execute("ALTER TABLE idempotency DROP COLUMN answer")
