"""A provider's word, told after it took a message, that it sends nothing of ours: kept until it does again."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE refusal (
    channel    text        PRIMARY KEY CHECK (channel IN ('email', 'whatsapp')),
    code       text        NOT NULL,
    since      timestamptz NOT NULL,
    not_before timestamptz NOT NULL, -- no message asks again earlier
    probes     integer     NOT NULL DEFAULT 0,
    probe_id   uuid,                 -- the message that asked last
    heals_at   timestamptz           -- it was sent: without a failure until then all is well
)"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON refusal TO {app}")


def downgrade() -> None:
    op.execute("DROP TABLE refusal")
