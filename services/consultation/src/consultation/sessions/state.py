"""The states of a FeedbackSession, and the fold of its events into one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, assert_never
from uuid import UUID

from booking_contracts.event import Event, ProductKind
from booking_contracts.sessions import (
    PractitionerChanged,
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStarted,
)
from consultation.sessions.times import Slot


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
    ended_at: datetime | None = None
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


DomainEvent = (
    ScheduleRequested
    | SessionScheduled
    | SessionRescheduled
    | PractitionerChanged
    | SessionStarted
    | ResultUploaded
    | ResultReplaced
    | SessionCanceled
    | SessionFailed
)


class BrokenStreamError(Exception):
    """An event that cannot follow the ones before it: the stream was not written by the decider."""


def fold(events: Iterable[Event]) -> State:
    """The state after all these events, in version order."""
    state: State = NotRequested()
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: State, event: Event) -> Session:
    """The state after `event`; BrokenStreamError when it cannot follow `state`."""
    match event:
        case ScheduleRequested():
            return _requested(event)
        case SessionScheduled() | SessionRescheduled():
            return Scheduled(_after(_session(state).about, event), _meeting(event))
        case PractitionerChanged():
            return PendingNegotiation(_after(_session(state).about, event))
        case SessionStarted():
            return OnProgress(_session(state).about, _met(state), event.started_at)
        case ResultUploaded() | ResultReplaced():
            result = Result(event.result_id, event.has_link, event.has_notes)
            return Completed(_session(state).about, _met(state), _started(state), result, event.ended_at)
        case SessionCanceled() | SessionFailed():
            return _ended(_session(state), event)
        case _:
            raise BrokenStreamError(f"{event.TYPE} is no event of a session")


def meeting_of(state: Session) -> Meeting | None:
    """When and where, as last told to both; none before a schedule and after a change of practitioner."""
    match state:
        case PendingNegotiation():
            return None
        case Scheduled() | OnProgress() | Completed() | Canceled() | Failed():
            return state.meeting
        case _:
            assert_never(state)


def _requested(event: ScheduleRequested) -> PendingNegotiation:
    return PendingNegotiation(
        About(
            session_id=event.session_id,
            transaction_id=event.transaction_id,
            assessment_id=event.assessment_id,
            user_id=event.user_id,
            practitioner_id=event.practitioner_id,
            kind=event.kind,
            auto_start=event.auto_start,
            respond_by=event.respond_by,
        )
    )


def _after(
    about: About, event: SessionScheduled | SessionRescheduled | PractitionerChanged | SessionCanceled | SessionFailed
) -> About:
    # Written out: `dataclasses.replace` takes twice as long, a third of a fold.
    return About(
        session_id=about.session_id,
        transaction_id=about.transaction_id,
        assessment_id=about.assessment_id,
        user_id=about.user_id,
        practitioner_id=event.practitioner_id,
        kind=about.kind,
        auto_start=about.auto_start,
        respond_by=event.respond_by if isinstance(event, PractitionerChanged) else about.respond_by,
        schedule_version=event.schedule_version,
    )


def _meeting(event: SessionScheduled | SessionRescheduled) -> Meeting:
    slot = Slot(
        scheduled_date=event.scheduled_date,
        time_start=event.time_start,
        time_end=event.time_end,
        timezone=event.timezone,
        ends_next_day=event.ends_next_day,
        fold=event.fold,
        fold_end=event.fold_end,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
    )
    return Meeting(slot, event.meeting_link)


def _ended(state: Session, event: SessionCanceled | SessionFailed) -> Canceled | Failed:
    about = _after(state.about, event)
    ending = Ending(event.reason_code, event.reason_id)
    if isinstance(event, SessionCanceled):
        return Canceled(about, meeting_of(state), ending)
    return Failed(about, meeting_of(state), _started(state), ending)


def _session(state: State) -> Session:
    if isinstance(state, NotRequested):
        raise BrokenStreamError("the first event of a session is ScheduleRequested")
    return state


def _met(state: State) -> Meeting:
    meeting = meeting_of(_session(state))
    if meeting is None:
        raise BrokenStreamError("there is no schedule yet")
    return meeting


def _started(state: State) -> datetime | None:
    return state.started_at if isinstance(state, OnProgress | Completed | Failed) else None
