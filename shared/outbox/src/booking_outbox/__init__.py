"""Marks, relay and republish: every committed event reaches Kafka."""

from importlib.resources import files

from booking_outbox._counts import Count, counts
from booking_outbox._encoding import Outgoing
from booking_outbox._errors import LeadLost, LockBusy, OutboxError, StoreOlderThanTopic, Unpublished
from booking_outbox._metrics import RelayMetrics
from booking_outbox._publisher import Publisher
from booking_outbox._reading import EventTopic, Published, StateTopic, instant
from booking_outbox._relay import Relay
from booking_outbox._republish import Republished, Selection, republish
from booking_outbox._wake import Waker
from booking_outbox._worker import Progress, crash_point

__all__ = [
    "Count",
    "EventTopic",
    "LeadLost",
    "LockBusy",
    "OutboxError",
    "Outgoing",
    "Progress",
    "Published",
    "Publisher",
    "Relay",
    "RelayMetrics",
    "Republished",
    "Selection",
    "StateTopic",
    "StoreOlderThanTopic",
    "Unpublished",
    "Waker",
    "counts",
    "crash_point",
    "ddl",
    "instant",
    "republish",
]


def ddl(name: str) -> str:
    """The text of ``sql/<name>.sql`` (``outbox_v1``), for the services' own migrations; ``{app}`` in it stands for the
    run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    return (files("booking_outbox") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
