"""The projector's tables as its migrations leave them; `alembic check` compares them with the database.

The indexes' conditions stand in the migrations alone: Alembic does not compare them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("started_at", TIMESTAMPTZ, nullable=False),
    sa.Column("from_records", sa.BigInteger, nullable=False),
    sa.Column("switched_at", TIMESTAMPTZ),
    sa.Column("comparison", JSONB),
    sa.Index("generation_one_active", "state", unique=True),
    sa.Index("generation_one_per_slot", "slot", unique=True),
)
projection_position = sa.Table(
    "projection_position",
    metadata,
    sa.Column("generation", sa.Integer, sa.ForeignKey(generation.c.id), primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("last_timestamp_ms", sa.BigInteger),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
projection_end = sa.Table(
    "projection_end",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("first_offset", sa.BigInteger, nullable=False),
    sa.Column("end_offset", sa.BigInteger, nullable=False),
    sa.Column("measured_at", TIMESTAMPTZ, nullable=False),
)


def _slot(name: str, *, of_practitioner: str, of_user: str, by_start: str) -> sa.Table:
    """One of the two tables of the calendar's rows; the second is a copy, for whose indexes PostgreSQL made names."""
    return sa.Table(
        name,
        metadata,
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("row_version", sa.BigInteger, nullable=False),
        sa.Column("dated", sa.Boolean, nullable=False),
        sa.Column("schedule_version", sa.Integer, nullable=False),
        sa.Column("changed_at", TIMESTAMPTZ),
        sa.Column("transaction_id", sa.Uuid),
        sa.Column("practitioner_id", sa.Uuid),
        sa.Column("user_id", sa.Uuid),
        sa.Column("status", sa.Text),
        sa.Column("scheduled_date", sa.Date),
        sa.Column("time_start", sa.Time),
        sa.Column("time_end", sa.Time),
        sa.Column("timezone", sa.Text),
        sa.Column("starts_at", TIMESTAMPTZ),
        sa.Column("ends_at", TIMESTAMPTZ),
        sa.Column("meeting_link", sa.Text),
        sa.Index(of_practitioner, "practitioner_id", "starts_at", "session_id"),
        sa.Index(of_user, "user_id", "starts_at", "session_id"),
        sa.Index(by_start, "starts_at", "session_id"),
    )


user_schedule_a = _slot(
    "user_schedule_a",
    of_practitioner="user_schedule_a_practitioner",
    of_user="user_schedule_a_user",
    by_start="user_schedule_a_start",
)
user_schedule_b = _slot(
    "user_schedule_b",
    of_practitioner="user_schedule_b_practitioner_id_starts_at_session_id_idx",
    of_user="user_schedule_b_user_id_starts_at_session_id_idx",
    by_start="user_schedule_b_starts_at_session_id_idx",
)
feed = sa.Table(
    "feed",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, nullable=False),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Index("feed_person", "person_id", "created_at"),
)
erased_person = sa.Table(
    "erased_person",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("erased_at", TIMESTAMPTZ, nullable=False),
)
practitioner = sa.Table(
    "practitioner", metadata, sa.Column("id", sa.Uuid, primary_key=True), sa.Column("name", sa.Text)
)
person_locale = sa.Table(
    "person_locale",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
)
stream_head = sa.Table(
    "stream_head",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True),
    sa.Column("place", sa.BigInteger, nullable=False),
)
stream_item = sa.Table(
    "stream_item",
    metadata,
    sa.Column("place", sa.BigInteger, primary_key=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("member_id", sa.Uuid),
    sa.Column("practitioner_id", sa.Uuid),
    sa.Column("admins", sa.Boolean, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.UniqueConstraint("event_id", "admins"),
    sa.Index("stream_item_member", "member_id", "place"),
    sa.Index("stream_item_practitioner", "practitioner_id", "place"),
)
stream_ticket = sa.Table(
    "stream_ticket",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, nullable=False),
    sa.Column("roles", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("rights_end_at", TIMESTAMPTZ, nullable=False),
    sa.Column("expires_at", TIMESTAMPTZ, nullable=False),
    sa.Column("used_at", TIMESTAMPTZ),
)
