"""An event as it was stored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from booking_contracts.decode import from_store
from booking_contracts.event import Event


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of ``events``. ``data`` is the JSON text, byte for byte as it was appended."""

    position: int
    stream_type: str
    stream_id: UUID
    version: int
    id: UUID
    type: str
    type_version: int
    data: str
    actor: str
    causation_id: str | None
    correlation_id: str
    traceparent: str | None
    occurred_at: datetime
    recorded_at: datetime

    @property
    def event(self) -> Event:
        """The domain event, upcast to today's version of its type; decoded anew at each access."""
        return from_store(self.type, self.type_version, self.data)
