"""The outbox's tables, for what compares definitions with the database (`alembic check`)."""

import sqlalchemy as sa

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("record", sa.LargeBinary),
)
outbox_accepted = sa.Table(
    "outbox_accepted",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("up_to", sa.BigInteger, nullable=False),
    sa.Column("accepted_at", TIMESTAMPTZ, nullable=False),
)
