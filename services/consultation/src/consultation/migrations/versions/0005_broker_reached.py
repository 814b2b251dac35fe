"""Which brokers were reached, so that a copy that starts while Kafka is away is told from one with a wrong address."""

from alembic import op

from booking_process.migrations import ddl

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(ddl("booking_process", "broker_v1"))


def downgrade() -> None:
    op.execute("DROP TABLE broker_reached")
