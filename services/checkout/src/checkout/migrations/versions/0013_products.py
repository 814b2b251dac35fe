"""The catalogue is published: who changed a product, and a mark for each that is there, so that the topic begins whole.

A copy of the release before writes no mark: what it changes beside a new one is published with the next change, or by
`republish`.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

_TOPIC = "'booking.checkout.products.v1'"
_CAUSE = ("actor", "correlation_id", "causation_id", "traceparent")


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE product " + ", ".join(f"ADD COLUMN {name} text" for name in _CAUSE))
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, id::text FROM product")


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic = {_TOPIC}")
    op.execute("ALTER TABLE product " + ", ".join(f"DROP COLUMN {name}" for name in _CAUSE))
