"""A mark carries its record, made at the append."""

from booking_process.migrations import alteration

revision = "0007"
down_revision = "0006"
upgrade, downgrade = alteration("booking_outbox", "outbox_v2")
