"""The provider's word for a payment that it refused: kept for a notification that waits for its Transaction."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE payment_notification ADD COLUMN declined text")


def downgrade() -> None:
    op.execute("ALTER TABLE payment_notification DROP COLUMN declined")
