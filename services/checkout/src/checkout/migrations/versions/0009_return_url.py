"""Where the member goes after paying: kept until the provider has been told, no longer."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE payment_session ADD COLUMN return_url text")


def downgrade() -> None:
    op.execute("ALTER TABLE payment_session DROP COLUMN return_url")
