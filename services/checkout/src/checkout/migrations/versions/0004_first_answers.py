"""The first answer to a write without a stream is kept with its idempotency key, since its row forgets it."""

from booking_process.migrations import alteration

revision = "0004"
down_revision = "0003"
upgrade, downgrade = alteration("booking_web", "idempotency_v2")
