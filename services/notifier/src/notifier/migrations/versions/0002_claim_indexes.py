"""Indexes in the very order in which messages are taken up: a long queue of equal instants needs no sort."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DUE = "CREATE INDEX notification_due ON notification (channel, not_before{id}) WHERE state IN ('pending', 'ambiguous')"
_LANE = """CREATE INDEX notification_lane ON notification (recipient_id, channel, due_at{id})
    WHERE state IN ('pending', 'sending')"""
_UNDER_WAY = "CREATE INDEX notification_under_way ON notification (recipient_id, channel) WHERE state = 'sending'"


def upgrade() -> None:
    _replace(", id")
    op.execute(_UNDER_WAY)


def downgrade() -> None:
    op.execute("DROP INDEX notification_under_way")
    _replace("")


def _replace(more: str) -> None:
    op.execute("SET lock_timeout = '5s'")
    for name, statement in (("notification_due", _DUE), ("notification_lane", _LANE)):
        op.execute(f"DROP INDEX {name}")
        op.execute(statement.format(id=more))
