"""The notifier's tables as its migrations leave them; `alembic check` compares them with the database.

The indexes' conditions stand in the migrations alone: Alembic does not compare them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

installation = sa.Table(
    "installation",
    metadata,
    sa.Column("only_one", sa.Boolean, primary_key=True),
    sa.Column("send_from", TIMESTAMPTZ, nullable=False),
)
contact = sa.Table(
    "contact",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
)
practitioner = sa.Table(
    "practitioner",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
)
erased = sa.Table(
    "erased",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("erased_at", TIMESTAMPTZ, nullable=False),
)
preference = sa.Table(
    "preference",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Boolean),
    sa.Column("whatsapp", sa.Boolean),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
session = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("schedule_version", sa.Integer, nullable=False),
    sa.Column("starts_at", TIMESTAMPTZ),
    sa.Column("ends_at", TIMESTAMPTZ),
)
sale = sa.Table(
    "sale",
    metadata,
    sa.Column("transaction_id", sa.Uuid, primary_key=True),
    sa.Column("product_name", sa.Text, nullable=False),
)
cause = sa.Table(
    "cause",
    metadata,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("type_version", sa.Integer, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("occurred_at", TIMESTAMPTZ, nullable=False),
)
notification = sa.Table(
    "notification",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cause_event_id", sa.Uuid, sa.ForeignKey(cause.c.event_id), nullable=False),
    sa.Column("recipient_id", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("session_id", sa.Uuid),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("due_at", TIMESTAMPTZ, nullable=False),
    sa.Column("fence_version", sa.Integer),
    sa.Column("fence_status", sa.Text),
    sa.Column("useful_until", TIMESTAMPTZ),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("ambiguities", sa.Integer, nullable=False),
    sa.Column("queued_at", TIMESTAMPTZ, nullable=False),
    sa.Column("not_before", TIMESTAMPTZ),
    sa.Column("sending_until", TIMESTAMPTZ),
    sa.Column("provider_message_id", sa.Text),
    sa.Column("delivered_at", TIMESTAMPTZ),
    sa.Column("changed_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("traceparent", sa.Text),
    sa.UniqueConstraint("cause_event_id", "recipient_id", "channel", "template", name="notification_once"),
    sa.Index("notification_due", "channel", "not_before", "id"),
    sa.Index("notification_under_way", "recipient_id", "channel"),
    sa.Index("notification_sending", "sending_until"),
    sa.Index("notification_lane", "recipient_id", "channel", "due_at", "id"),
    sa.Index("notification_fence", "session_id"),
    sa.Index("notification_of_recipient", "recipient_id", "id"),
    sa.Index("notification_of_session", "session_id", "id"),
    sa.Index("notification_by_state", "state", "id"),
    sa.Index("notification_of_provider", "provider_message_id"),
)
lane = sa.Table(
    "lane",
    metadata,
    sa.Column("recipient_id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("not_before", TIMESTAMPTZ, nullable=False),
    sa.Column("paced_until", TIMESTAMPTZ, nullable=False),
)
refusal = sa.Table(
    "refusal",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("since", TIMESTAMPTZ, nullable=False),
    sa.Column("not_before", TIMESTAMPTZ, nullable=False),
    sa.Column("probes", sa.Integer, nullable=False),
    sa.Column("probe_id", sa.Uuid),
    sa.Column("heals_at", TIMESTAMPTZ),
)
webhook_endpoint = sa.Table(
    "webhook_endpoint",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("event_types", ARRAY(sa.Text), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("disabled_at", TIMESTAMPTZ),
    sa.Column("secret", sa.Text),
    sa.Column("previous_secret", sa.Text),
    sa.Column("previous_secret_until", TIMESTAMPTZ),
    sa.Column("failing_since", TIMESTAMPTZ),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("not_before", TIMESTAMPTZ, nullable=False),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
webhook_event = sa.Table(
    "webhook_event",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Index("webhook_event_created", "created_at"),
)
webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("endpoint_id", sa.Uuid, sa.ForeignKey(webhook_endpoint.c.id), nullable=False),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey(webhook_event.c.id), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("first_tried_at", TIMESTAMPTZ),
    sa.Column("not_before", TIMESTAMPTZ, nullable=False),
    sa.Column("sending_until", TIMESTAMPTZ),
    sa.Column("reason", sa.Text),
    sa.Column("status_code", sa.Integer),
    sa.Column("delivered_at", TIMESTAMPTZ),
    sa.Column("traceparent", sa.Text),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.UniqueConstraint("endpoint_id", "event_id", name="webhook_delivery_once"),
    sa.Index("webhook_delivery_due", "endpoint_id", "not_before", "id"),
    sa.Index("webhook_delivery_sending", "endpoint_id", "sending_until"),
    sa.Index("webhook_delivery_of_endpoint", "endpoint_id", "id"),
    sa.Index("webhook_delivery_of_event", "event_id"),
    sa.Index("webhook_delivery_by_status", "status", "id"),
)
webhook_attempt = sa.Table(
    "webhook_attempt",
    metadata,
    sa.Column("delivery_id", sa.Uuid, sa.ForeignKey(webhook_delivery.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("started_at", TIMESTAMPTZ, nullable=False),
    sa.Column("ended_at", TIMESTAMPTZ),
    sa.Column("status_code", sa.Integer),
    sa.Column("reason", sa.Text),
)
