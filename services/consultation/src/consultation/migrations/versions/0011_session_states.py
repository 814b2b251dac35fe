"""Sessions as they are now are published: a mark for each that is there, so that the topic begins whole.

A relay of the release before that still leads leaves no marks: what it sends beside a new one is published with the
session's next event, or by `republish`.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

_TOPIC = "'booking.consultation.session-states.v1'"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(f"INSERT INTO outbox (topic, key) SELECT {_TOPIC}, id::text FROM feedback_session")


def downgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic = {_TOPIC}")
