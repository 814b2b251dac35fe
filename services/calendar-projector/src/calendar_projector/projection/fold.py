"""The fold: what a session's events do to its calendar row. Pure, and the same for live and rebuild (C2).

Values stay the text that the events carry: PostgreSQL reads them once, nothing in between parses and prints them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schedule = Literal["keep", "set", "clear"]

SETS_SCHEDULE = frozenset({"SessionScheduled", "SessionRescheduled"})
CLEARS_SCHEDULE = frozenset({"PractitionerChanged"})
"""The new practitioner sets a new time: the row stays without a start and so leaves ranges and feeds (C1)."""

SCHEDULE_COLUMNS = ("scheduled_date", "time_start", "time_end", "timezone", "starts_at", "ends_at", "meeting_link")
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Patch:
    """What a run of one session's events, versions `first` to `last` without a gap, does to its row."""

    session_id: str
    first: int
    last: int
    changed_at: str | None = None
    transaction_id: str | None = None
    user_id: str | None = None
    practitioner_id: str | None = None
    status: str | None = None
    schedule: Schedule = "keep"
    schedule_version: int | None = None
    dated: bool = False
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])
    left: list[str] = field(default_factory=list[str])
    """Practitioners whom the session left: their calendar changes too."""

    def take(self, kind: str | None, data: Mapping[str, Any], happened: str) -> None:
        """Fold one more event; `kind` is None for a type that is unknown here, which moves the version alone."""
        if kind is None:
            return
        self.changed_at = happened
        self.transaction_id = data["transaction_id"]
        self.user_id = data["user_id"]
        self.practitioner_id = data["practitioner_id"]
        self.status = data["status"]
        self.schedule_version = data.get("schedule_version", self.schedule_version)
        if kind in SETS_SCHEDULE:
            self.schedule, self.columns, self.dated = "set", data, True
        elif kind in CLEARS_SCHEDULE:
            self.schedule, self.columns = "clear", _NOTHING
            self.left.append(data["previous_practitioner_id"])

    def row(self) -> tuple[Any, ...]:
        """The values of `COLUMNS`, in order."""
        get = self.columns.get
        return (
            self.session_id,
            self.first,
            self.last,
            self.changed_at,
            self.transaction_id,
            self.user_id,
            self.practitioner_id,
            self.status,
            self.schedule,
            self.schedule_version,
            self.dated,
            *(get(name) for name in SCHEDULE_COLUMNS),
        )


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
"""A patch as a row: the columns of the stage and of the JSON recordset, with their types."""
