"""Marks, relay and republish: every committed event reaches Kafka."""

from booking_outbox.ddl import ddl
from booking_outbox.errors import LeadLost, LockBusy, OutboxError, StoreOlderThanTopic, Unpublished
from booking_outbox.faults import crash_point
from booking_outbox.metrics import RelayMetrics, Sample
from booking_outbox.progress import Progress
from booking_outbox.relay import Relay
from booking_outbox.republish import Republished, Selection, republish
from booking_outbox.topics import EventTopic, StateTopic
from booking_outbox.wake import Waker

__all__ = [
    "EventTopic",
    "LeadLost",
    "LockBusy",
    "OutboxError",
    "Progress",
    "Relay",
    "RelayMetrics",
    "Republished",
    "Sample",
    "Selection",
    "StateTopic",
    "StoreOlderThanTopic",
    "Unpublished",
    "Waker",
    "crash_point",
    "ddl",
    "republish",
]
