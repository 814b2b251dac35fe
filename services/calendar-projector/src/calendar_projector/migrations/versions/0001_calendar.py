"""user_schedule in two slots, generations and positions, feeds; outbox, inbox, held, idempotency."""

from importlib.resources import files

from alembic import op

import booking_outbox
from booking_process.migrations import ddl

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(booking_outbox.ddl("outbox_v1"))
    op.execute(ddl("booking_web", "idempotency_v1"))
    op.execute(ddl("booking_inbox", "inbox_v1"))
    op.execute((files("calendar_projector") / "migrations" / "calendar_v1.sql").read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP TABLE feed")
    op.execute("DROP VIEW user_schedule, session_calendar")
    op.execute("DROP FUNCTION active_slot")
    op.execute("DROP TABLE user_schedule_a, user_schedule_b, projection_end, projection_position, generation")
    op.execute("DROP TABLE held, inbox, idempotency, outbox_accepted, outbox")
