"""The remembered answers (Idempotency-Key)."""

import sqlalchemy as sa

metadata = sa.MetaData()
TIMESTAMPTZ = sa.DateTime(timezone=True)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("sub", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("sha", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("object_id", sa.Uuid),
    sa.Column("version", sa.Integer),
    sa.Column("created_at", TIMESTAMPTZ, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Index("idempotency_created_at", "created_at"),
)
