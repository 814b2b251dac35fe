"""Webhooks: endpoints that an admin registered, what they are told, and each try."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
CREATE TABLE webhook_endpoint (
    id                    uuid        PRIMARY KEY,
    url                   text        NOT NULL,
    event_types           text[]      NOT NULL,
    description           text,
    -- deleted: hidden at once, gone when its deliveries are
    status                text        NOT NULL CHECK (status IN ('enabled', 'disabled', 'deleted')),
    disabled_reason       text        CHECK (disabled_reason IN ('by_admin', 'failing', 'gone')),
    disabled_at           timestamptz,
    secret                text,                            -- null once deleted
    previous_secret       text,                            -- signs beside the new one ...
    previous_secret_until timestamptz,                     -- ... until then
    failing_since         timestamptz,                     -- the first try after which none got through
    failures              integer     NOT NULL DEFAULT 0,  -- tries since then
    not_before            timestamptz NOT NULL,            -- no try of any delivery earlier
    created_at            timestamptz NOT NULL,
    version               integer     NOT NULL DEFAULT 1,
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
)""",
    """
CREATE TABLE webhook_event (
    id         uuid        PRIMARY KEY, -- the event's, and the `webhook-id` of each delivery of it
    type       text        NOT NULL,
    body       text        NOT NULL,    -- what is sent and signed, byte for byte: ids, times and links
    created_at timestamptz NOT NULL
)""",
    # One event, one endpoint: one row, whatever is redelivered or replayed.
    """
CREATE TABLE webhook_delivery (
    id             uuid        PRIMARY KEY,
    endpoint_id    uuid        NOT NULL REFERENCES webhook_endpoint,
    event_id       uuid        NOT NULL REFERENCES webhook_event,
    status         text        NOT NULL CHECK (status IN ('pending', 'sending', 'delivered', 'failed')),
    attempts       integer     NOT NULL DEFAULT 0, -- of all time
    tries          integer     NOT NULL DEFAULT 0, -- since it was last asked for: its place in the schedule
    first_tried_at timestamptz,                    -- of those
    not_before     timestamptz NOT NULL,
    sending_until  timestamptz,                    -- the try's deadline; past it, its worker is dead
    reason         text,                           -- of the last try
    status_code    integer,
    delivered_at   timestamptz,
    traceparent    text,
    created_at     timestamptz NOT NULL,
    version        integer     NOT NULL DEFAULT 1,
    CONSTRAINT webhook_delivery_once UNIQUE (endpoint_id, event_id),
    CHECK ((status = 'sending') = (sending_until IS NOT NULL))
)""",
    # Written before the request leaves; without an end its process died in between.
    """
CREATE TABLE webhook_attempt (
    delivery_id uuid        NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    number      integer     NOT NULL,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    status_code integer,
    reason      text,
    PRIMARY KEY (delivery_id, number)
)""",
    """CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, not_before, id) WHERE status = 'pending'""",
    """CREATE INDEX webhook_delivery_sending ON webhook_delivery (endpoint_id, sending_until)
    WHERE status = 'sending'""",
    """CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint_id, id)""",
    """CREATE INDEX webhook_delivery_of_event ON webhook_delivery (event_id)""",
    """CREATE INDEX webhook_delivery_by_status ON webhook_delivery (status, id) WHERE status <> 'delivered'""",
    """CREATE INDEX webhook_event_created ON webhook_event (created_at)""",
    """GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoint, webhook_delivery, webhook_attempt TO {app}""",
    """GRANT SELECT, INSERT, DELETE ON webhook_event TO {app}""",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE webhook_attempt, webhook_delivery, webhook_event, webhook_endpoint")
