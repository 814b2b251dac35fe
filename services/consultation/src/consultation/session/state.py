"""The states of a FeedbackSession: a union by status, so that what a status doesn't have cannot be asked of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from booking_contracts.event import ProductKind
from consultation.session.times import Slot


@dataclass(frozen=True, slots=True)
class About:
    """What a session has in every status."""

    session_id: UUID
    transaction_id: UUID
    assessment_id: UUID | None
    user_id: UUID
    practitioner_id: UUID
    kind: ProductKind
    auto_start: bool
    respond_by: datetime
    schedule_version: int = 0


@dataclass(frozen=True, slots=True)
class Meeting:
    """When and where both meet."""

    slot: Slot
    link: str


@dataclass(frozen=True, slots=True)
class Result:
    """Which result is the present one; its link and notes are erasable text elsewhere (E4)."""

    result_id: UUID
    has_link: bool
    has_notes: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the session ended without a result; the free text is elsewhere (E4)."""

    reason_code: str
    reason_id: UUID | None


@dataclass(frozen=True, slots=True)
class NotRequested:
    """There is no session yet."""

    status: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class PendingNegotiation:
    """Waits for the practitioner's schedule, until `about.respond_by` (R4)."""

    about: About
    status: ClassVar[Literal["pending_negotiation"]] = "pending_negotiation"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Both know when and where; the time of both is held (S4)."""

    about: About
    meeting: Meeting
    status: ClassVar[Literal["scheduled"]] = "scheduled"


@dataclass(frozen=True, slots=True)
class OnProgress:
    """They meet; their time is still held (S4)."""

    about: About
    meeting: Meeting
    started_at: datetime
    status: ClassVar[Literal["on_progress"]] = "on_progress"


@dataclass(frozen=True, slots=True)
class Completed:
    """A result is there; it may be replaced, nothing else."""

    about: About
    meeting: Meeting
    started_at: datetime | None
    result: Result
    status: ClassVar[Literal["completed"]] = "completed"


@dataclass(frozen=True, slots=True)
class Canceled:
    """A party gave it up."""

    about: About
    meeting: Meeting | None
    ending: Ending
    status: ClassVar[Literal["canceled"]] = "canceled"


@dataclass(frozen=True, slots=True)
class Failed:
    """An admin or the system ended it."""

    about: About
    meeting: Meeting | None
    started_at: datetime | None
    ending: Ending
    status: ClassVar[Literal["failed"]] = "failed"


Session = PendingNegotiation | Scheduled | OnProgress | Completed | Canceled | Failed
State = NotRequested | Session
