"""Checkout's tables as its migrations leave them; `alembic check` compares them with the database.

The indexes' conditions stand in the migrations alone: Alembic does not compare them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)
# As PostgreSQL writes them.
_COMPLETENESS = "(photo_url IS NOT NULL)::integer + (bio IS NOT NULL)::integer + (profession IS NOT NULL)::integer"
_PLACE = "- (productivity::bigint * '17179869184'::bigint + (activity * 4) + completeness)"

product = sa.Table(
    "product",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("duration_minutes", sa.Integer, nullable=False),
    sa.Column("payment_ttl_minutes", sa.Integer, nullable=False),
    sa.Column("request_limit_minutes", sa.Integer, nullable=False),
    sa.Column("auto_start", sa.Boolean, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
person = sa.Table(
    "person",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("claimed", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("erased_at", TIMESTAMPTZ),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("causation_id", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
practitioner = sa.Table(
    "practitioner",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("photo_url", sa.Text),
    sa.Column("bio", sa.Text),
    sa.Column("profession", sa.Text),
    sa.Column("tiers", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("completeness", sa.SmallInteger, sa.Computed(_COMPLETENESS)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("erased_at", TIMESTAMPTZ),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("causation_id", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("erased_at", TIMESTAMPTZ, nullable=False),
    sa.Column("again_at", TIMESTAMPTZ),
    sa.Index("erasure_again", "again_at"),
)
transaction = sa.Table(
    "transaction",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("practitioner_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("product_id", sa.Uuid, nullable=False),
    sa.Column("product_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("duration_minutes", sa.Integer, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("expires_at", TIMESTAMPTZ, nullable=False),
    sa.Column("request_limit_minutes", sa.Integer, nullable=False),
    sa.Column("auto_start", sa.Boolean, nullable=False),
    sa.Column("paid_at", TIMESTAMPTZ),
    sa.Column("refund_id", sa.Uuid),
    sa.Column("refund_status", sa.Text),
    sa.Column("refund_amount", sa.BigInteger),
    sa.Column("refund_requested_at", TIMESTAMPTZ),
    sa.Column("refund_settled_at", TIMESTAMPTZ),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("session_begun", sa.Boolean, nullable=False),
    sa.Index("transaction_of_user", "user_id", sa.text("id DESC")),
    sa.Index("transaction_of_status", "status", sa.text("id DESC")),
    sa.Index("transaction_expiry", "expires_at", "id"),
)
unpaid = sa.Table(
    "unpaid",
    metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("open", sa.Integer, nullable=False),
)
free_text = sa.Table(
    "free_text",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("author_id", sa.Uuid),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Index("free_text_of_transaction", "transaction_id"),
    sa.Index("free_text_of_author", "author_id"),
)
payment_session = sa.Table(
    "payment_session",
    metadata,
    sa.Column("transaction_id", sa.Uuid, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("redirect_url", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", TIMESTAMPTZ),
    sa.Column("checks", sa.Integer, nullable=False),
    sa.Column("check_at", TIMESTAMPTZ, nullable=False),
    sa.Index("payment_session_missing", "next_attempt_at"),
)
payment_notification = sa.Table(
    "payment_notification",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("notification_id", sa.Text, nullable=False),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("names", sa.Uuid),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("status", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("currency", sa.Text),
    sa.Column("exact", sa.Boolean, nullable=False),
    sa.Column("returned", sa.BigInteger),
    sa.Column("provider_refund_id", sa.Text),
    sa.Column("body_sha256", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary),
    sa.Column("received_at", TIMESTAMPTZ, nullable=False),
    sa.Column("decided_at", TIMESTAMPTZ),
    sa.Column("refund_ids", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("retry", sa.Boolean, nullable=False),
    sa.UniqueConstraint("provider", "notification_id", "body_sha256", name="payment_notification_once"),
    sa.Index("payment_notification_undecided", "names"),
    sa.Index("payment_notification_body", "received_at"),
    sa.Index("payment_notification_of_transaction", "transaction_id"),
)
payment = sa.Table(
    "payment",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("payment_id", sa.Text, primary_key=True),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
    sa.Column("currency", sa.Text),
    sa.Column("received", sa.BigInteger),
    sa.Column("returned", sa.BigInteger, nullable=False),
    sa.Column("partly", sa.Boolean, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("voided", sa.Boolean, nullable=False),
    sa.Column("denied", sa.Boolean, nullable=False),
)
payment_review = sa.Table(
    "payment_review",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("received_amount", sa.BigInteger),
    sa.Column("received_currency", sa.Text),
    sa.Column("expected_amount", sa.BigInteger),
    sa.Column("expected_currency", sa.Text),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("returned_amount", sa.BigInteger),
    sa.Column("refundable_amount", sa.BigInteger),
    sa.Index("payment_review_open", sa.text("id DESC")),
    sa.Index("payment_review_unknown", "reference"),
)
refund = sa.Table(
    "refund",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("transaction_id", sa.Uuid),
    sa.Column("review_id", sa.Uuid),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("payment_id", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_at", TIMESTAMPTZ, nullable=False),
    sa.Column("settled_at", TIMESTAMPTZ),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", TIMESTAMPTZ, nullable=False),
    sa.Column("code", sa.Text),
    sa.Index("refund_requested", "next_attempt_at"),
)


def _consulted(name: str, of_transaction: str) -> sa.Table:
    """The sessions as consumed; the second table is a copy, for whose index PostgreSQL made the name."""
    return sa.Table(
        name,
        metadata,
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("transaction_id", sa.Uuid, nullable=False),
        sa.Column("practitioner_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("has_result", sa.Boolean, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Index(of_transaction, "transaction_id"),
    )


consulted_session = _consulted("consulted_session", "consulted_session_of_transaction")
consulted_session_rebuilt = _consulted("consulted_session_rebuilt", "consulted_session_rebuilt_transaction_id_idx")
practitioner_month = sa.Table(
    "practitioner_month",
    metadata,
    sa.Column("practitioner_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("productivity", sa.Integer, nullable=False),
    sa.Column("activity", sa.Integer, nullable=False),
)
ranking = sa.Table(
    "ranking",
    metadata,
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("tier", sa.Text, primary_key=True),
    sa.Column("practitioner_id", sa.Uuid, primary_key=True),
    sa.Column("productivity", sa.Integer, nullable=False),
    sa.Column("activity", sa.Integer, nullable=False),
    sa.Column("completeness", sa.SmallInteger, nullable=False),
    sa.Column("place", sa.BigInteger, sa.Computed(_PLACE)),
    sa.Index("ranking_order", "month", "tier", "place", "practitioner_id"),
)
ranking_month = sa.Table(
    "ranking_month",
    metadata,
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("prepared_at", TIMESTAMPTZ, nullable=False),
)
