"""The first tables: streams, outbox, idempotency, inbox, and consultation's own."""

from pathlib import Path

from alembic import op

import booking_outbox
import booking_store
from booking_process.migrations import ddl

revision = "0001"
down_revision = None

TABLES = Path(__file__).parent.parent / "tables_v1.sql"


def upgrade() -> None:
    for text in (
        booking_store.ddl("events_v1"),
        booking_outbox.ddl("outbox_v1"),
        ddl("booking_web", "idempotency_v1"),
        ddl("booking_inbox", "inbox_v1"),
        TABLES.read_text(encoding="utf-8"),
    ):
        op.execute(text)
