"""The notifier's tables, and the moment from which it sends."""

from importlib.resources import files

from alembic import op

from booking_outbox import ddl as outbox_ddl
from booking_process.migrations import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "lane",
    "notification",
    "cause",
    "sale",
    "session",
    "preference",
    "erased",
    "practitioner",
    "contact",
    "installation",
)


def upgrade() -> None:
    op.execute(outbox_ddl("outbox_v1"))
    op.execute(ddl("booking_inbox", "inbox_v1"))
    op.execute(ddl("booking_web", "idempotency_v1"))
    op.execute((files("notifier") / "migrations" / "sql" / "notifier_v1.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    for table in (*_TABLES, "idempotency", "held", "inbox", "outbox_accepted", "outbox"):
        op.execute(f"DROP TABLE {table}")
