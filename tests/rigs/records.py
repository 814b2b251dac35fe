"""Records as the services that own their topics send them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from booking_contracts.decode import Record
from booking_contracts.envelope import Envelope
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.topics import Topic


def record_of(
    topic: Topic,
    key: UUID,
    event: Event | None,
    version: int | None,
    *,
    of: type[Event] | None = None,
    actor: str = "system",
    at: datetime | None = None,
    offset: int = 0,
) -> Record:
    """A record as the topic's owner sends it; a tombstone of type `of`, else of the topic's first, without an event."""
    kind, at = type(event) if event is not None else of or topic.events[0], at or datetime.now(UTC)
    meta = Envelope(
        id=uuid7(),
        source=topic.source,
        type=kind.full_type(),
        subject=str(key),
        time=at,
        sequence=version,
        actor=actor,
        causation_id=None,
        correlation_id=str(uuid4()),
        traceparent=None,
    )
    value = None if event is None else event.to_json().encode()
    headers, when = tuple(meta.headers()), int(at.timestamp() * 1000)
    return Record(topic.name, 0, offset, str(key).encode(), value, headers, when)
