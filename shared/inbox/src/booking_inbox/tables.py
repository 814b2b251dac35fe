"""The inbox's tables: the last version taken of each key, and the records that are held."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("updated_at", TIMESTAMPTZ, nullable=False),
)
held = sa.Table(
    "held",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("raw_key", sa.LargeBinary),
    sa.Column("version", sa.BigInteger),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("value", sa.LargeBinary),
    sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("held_at", TIMESTAMPTZ, nullable=False),
    sa.Column("settled_at", TIMESTAMPTZ),
    sa.Column("settled_by", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Index("held_once", "consumer", "topic", "digest", unique=True),
    sa.Index("held_by_digest", "consumer", "topic", "digest"),
    sa.Index("held_open", "consumer", "topic", "key"),
    sa.Index("held_gaps", "consumer", "topic", "partition", "key"),
)
