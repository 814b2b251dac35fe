"""The first tables: streams, outbox, idempotency, inbox, and checkout's own, with the run-time role's rights."""

from pathlib import Path

from alembic import op

import booking_outbox
import booking_store
from booking_process.migrations import ddl

revision = "0001"
down_revision = None

TABLES = Path(__file__).parent.parent / "checkout_v1.sql"
NAMES = (
    "ranking_month, ranking, practitioner_month, consulted_session_rebuilt, consulted_session, refund,"
    " payment_review, payment, payment_notification, payment_session, free_text, unpaid, transaction, erasure,"
    " practitioner, person, product, held, inbox, idempotency, outbox_accepted, outbox, events"
)


def upgrade() -> None:
    for text in (
        booking_store.ddl("events_v1"),
        booking_outbox.ddl("outbox_v1"),
        ddl("booking_web", "idempotency_v1"),
        ddl("booking_inbox", "inbox_v1"),
        TABLES.read_text(encoding="utf-8"),
    ):
        op.execute(text)


def downgrade() -> None:
    op.execute(f"DROP TABLE IF EXISTS {NAMES}")
    op.execute("DROP FUNCTION IF EXISTS events_are_never_changed()")
