"""Transactions as they are now are published: a mark for each that is there, so that the topic begins whole.

A relay of the release before that still leads leaves no marks: what it sends beside a new one is published with the
Transaction's next event, or by `republish`.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

_TOPIC = "'booking.checkout.transaction-states.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, id::text FROM transaction")


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic = {_TOPIC}")
