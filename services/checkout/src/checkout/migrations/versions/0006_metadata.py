"""Who acted and why is one value of an event, as it is one header of its record. Stop the release before first."""

from booking_process.migrations import alteration

revision = "0006"
down_revision = "0005"
upgrade, downgrade = alteration("booking_store", "events_v2")
