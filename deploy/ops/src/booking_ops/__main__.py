"""`python -m booking_ops`: the same as `booking-ops`."""

from booking_ops.cli import entry

entry()
