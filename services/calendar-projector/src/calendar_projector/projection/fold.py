"""The fold: what a session's events do to its calendar row. Pure, and the same for live and rebuild (C2).

Values stay the text that the events carry: PostgreSQL reads them once, nothing in between parses and prints them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic_core import from_json

from booking_contracts.decode import Decoded
from booking_contracts.event import schema_of
from booking_contracts.topics import SESSIONS

Schedule = Literal["keep", "set", "clear"]

SETS_SCHEDULE = frozenset({"SessionScheduled", "SessionRescheduled"})
CLEARS_SCHEDULE = frozenset({"PractitionerChanged"})
"""The new practitioner sets a new time: the row stays without a start and so leaves ranges and feeds (C1)."""

SCHEDULE_COLUMNS = ("scheduled_date", "time_start", "time_end", "timezone", "starts_at", "ends_at", "meeting_link")
WITH_SCHEDULE_VERSION = frozenset(
    event.TYPE for event in SESSIONS.events if "schedule_version" in schema_of(event)["required"]
)
EventData = Mapping[str, Any] | re.Match[str]
"""An event's data by name: parsed, or as matched, whose texts are only made of what a row needs in the end."""


@dataclass(slots=True)
class Patch:
    """What a run of one session's events, versions `first` to `last` without a gap, does to its row."""

    session_id: str
    first: int
    last: int
    changed_at: str | None = None
    latest: EventData | None = None
    """The last event's: its people and status are the row's."""
    numbered: EventData | None = None
    """The last event's that has a schedule version."""
    schedule: Schedule = "keep"
    dated: bool = False
    columns: EventData | None = None

    def take(self, kind: str | None, data: EventData, happened: str) -> None:
        """Fold one more event; `kind` is None for a type that is unknown here, which moves the version alone."""
        if kind is None:
            return
        self.changed_at, self.latest = happened, data
        if kind in WITH_SCHEDULE_VERSION:
            self.numbered = data
        if kind in SETS_SCHEDULE:
            self.schedule, self.columns, self.dated = "set", data, True
        elif kind in CLEARS_SCHEDULE:
            self.schedule, self.columns = "clear", None

    def row(self) -> tuple[str | None, ...]:
        """The values of `COLUMNS`, in order, as PostgreSQL reads them."""
        return (
            self.session_id,
            str(self.first),
            str(self.last),
            self.changed_at,
            *_picked(self.latest, _LATEST),
            self.schedule,
            None if self.numbered is None else str(self.numbered["schedule_version"]),
            "t" if self.dated else "f",
            *_picked(self.columns, SCHEDULE_COLUMNS),
        )


def _picked(data: EventData | None, names: Sequence[str]) -> Sequence[str | None]:
    if isinstance(data, re.Match):
        return data.group(*names)
    return [None if data is None else data.get(name) for name in names]


_LATEST = ("transaction_id", "user_id", "practitioner_id", "status")

COLUMNS: Mapping[str, str] = {
    "session_id": "uuid",
    "first_version": "bigint",
    "last_version": "bigint",
    "changed_at": "timestamptz",
    "transaction_id": "uuid",
    "user_id": "uuid",
    "practitioner_id": "uuid",
    "status": "text",
    "schedule": "text",
    "schedule_version": "integer",
    "dated": "boolean",
    "scheduled_date": "date",
    "time_start": "time",
    "time_end": "time",
    "timezone": "text",
    "starts_at": "timestamptz",
    "ends_at": "timestamptz",
    "meeting_link": "text",
}
"""A patch as a row: its columns, with their types."""


_NOTHING: Mapping[str, Any] = {}


def event_data(item: Decoded) -> tuple[str | None, Mapping[str, Any], str]:
    """(name, data, instant); the name is None for a type that is unknown here.

    The data are the bytes as sent, parsed but not converted; of an old version what its upcaster tells today.
    """
    event, happened = item.event, item.meta.time.isoformat()
    if event is None:
        return None, _NOTHING, happened
    current = item.meta.type.endswith(f".v{event.TYPE_VERSION}")
    raw = item.record.value if current and item.record.value is not None else event.to_json()
    return event.TYPE, cast("Mapping[str, Any]", from_json(raw)), happened
