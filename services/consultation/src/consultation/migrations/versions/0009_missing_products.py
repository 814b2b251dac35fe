"""Which sales still lack what was sold: none on a fresh deployment, so the index is empty."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE INDEX entitlement_without_product ON entitlement (transaction_id) WHERE product_name IS NULL")


def downgrade() -> None:
    op.execute("DROP INDEX entitlement_without_product")
