"""The table of the streams, for what compares definitions with the database (`alembic check`)."""

import sqlalchemy as sa

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("stream_type", sa.Text, nullable=False),
    sa.Column("stream_id", sa.Uuid, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("type_version", sa.SmallInteger, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("traceparent", sa.Text),
    sa.Column("occurred_at", TIMESTAMPTZ, nullable=False),
    sa.Column("recorded_at", TIMESTAMPTZ, nullable=False),
    sa.UniqueConstraint("stream_id", "version", name="events_stream_version"),
    sa.UniqueConstraint("id", name="events_id"),
    sa.Index("events_recorded_at", "recorded_at", postgresql_using="brin"),
)
