"""Consultation's tables as its migrations leave them; `alembic check` compares them with the database.

The indexes' conditions stand in the migrations alone: Alembic does not compare them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

feedback_session = sa.Table(
    "feedback_session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("practitioner_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("scheduled_date", sa.Date),
    sa.Column("time_start", sa.Time),
    sa.Column("time_end", sa.Time),
    sa.Column("meeting_link", sa.Text),
    sa.Column("result_link", sa.Text),
    sa.Column("transaction_id", sa.Uuid, nullable=False),
    sa.Column("assessment_id", sa.Uuid),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("auto_start", sa.Boolean, nullable=False),
    sa.Column("requested_at", TIMESTAMPTZ, nullable=False),
    sa.Column("respond_by", TIMESTAMPTZ, nullable=False),
    sa.Column("timezone", sa.Text),
    sa.Column("ends_next_day", sa.Boolean),
    sa.Column("fold", sa.SmallInteger),
    sa.Column("fold_end", sa.SmallInteger),
    sa.Column("starts_at", TIMESTAMPTZ),
    sa.Column("ends_at", TIMESTAMPTZ),
    sa.Column("schedule_version", sa.Integer, nullable=False),
    sa.Column("started_at", TIMESTAMPTZ),
    sa.Column("result_id", sa.Uuid),
    sa.Column("result_has_link", sa.Boolean, nullable=False),
    sa.Column("result_has_notes", sa.Boolean, nullable=False),
    sa.Column("result_notes", sa.Text),
    sa.Column("reason_code", sa.Text),
    sa.Column("reason_id", sa.Uuid),
    sa.Column("reason", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
    sa.Column("ended_at", TIMESTAMPTZ),
    sa.Index("feedback_session_one_per_transaction", "transaction_id", unique=True),
    sa.Index("feedback_session_one_per_assessment", "assessment_id", unique=True),
    sa.Index("feedback_session_of_practitioner", "practitioner_id", "id"),
    sa.Index("feedback_session_of_member", "user_id", "id"),
    sa.Index("feedback_session_of_status", "status", "id"),
    sa.Index("feedback_session_of_transaction", "transaction_id"),
    sa.Index("feedback_session_start", "starts_at", "id"),
    sa.Index("feedback_session_start_of_practitioner", "practitioner_id", "starts_at", "id"),
    sa.Index("feedback_session_start_of_member", "user_id", "starts_at", "id"),
    sa.Index("feedback_session_waiting_of_practitioner", "practitioner_id", "respond_by", "id"),
    sa.Index("feedback_session_waiting_of_member", "user_id", "respond_by", "id"),
    sa.Index("feedback_session_respond_by", "respond_by", "id"),
    sa.Index("feedback_session_auto_start", "starts_at"),
)
time_claim = sa.Table(
    "time_claim",
    metadata,
    sa.Column("session_id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("during", TSTZRANGE, nullable=False),
)
session_text = sa.Table(
    "session_text",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("session_id", sa.Uuid, nullable=False),
    sa.Column("author_id", sa.Uuid, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("link", sa.Text),
    sa.Column("recorded_at", TIMESTAMPTZ, nullable=False),
    sa.Index("session_text_of_session", "session_id"),
    sa.Index("session_text_of_author", "author_id"),
)
entitlement = sa.Table(
    "entitlement",
    metadata,
    sa.Column("transaction_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("practitioner_id", sa.Uuid),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("kind", sa.Text),
    sa.Column("request_limit_minutes", sa.Integer, nullable=False),
    sa.Column("auto_start", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("product_name", sa.Text),
    sa.Column("duration_minutes", sa.Integer),
    sa.Index("entitlement_without_product", "transaction_id"),
)
assessment = sa.Table(
    "assessment",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("completed_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("assessment_of_member", "user_id", "completed_at", "id"),
    sa.Index("assessment_completed", "completed_at", "id"),
)
told_assessment = sa.Table(
    "told_assessment",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("completed_at", TIMESTAMPTZ, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("told_at", TIMESTAMPTZ, nullable=False),
    sa.Column("actor", sa.Text),
    sa.Column("correlation_id", sa.Text),
    sa.Column("causation_id", sa.Text),
    sa.Column("traceparent", sa.Text),
)
practitioner = sa.Table(
    "practitioner",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
)
contact = sa.Table(
    "contact",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("locale", sa.Text),
)
erased_person = sa.Table(
    "erased_person",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("erased_at", TIMESTAMPTZ, nullable=False),
)
