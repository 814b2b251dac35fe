"""When the money of a payment came, by its provider's clock: kept for a notification that waits for its Transaction."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE payment_notification ADD COLUMN settled_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE payment_notification DROP COLUMN settled_at")
