"""The state after an event: the fold of a session's stream."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from booking_contracts.event import Event
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
from consultation.session.state import (
    About,
    Canceled,
    Completed,
    Ending,
    Failed,
    Meeting,
    NotRequested,
    OnProgress,
    PendingNegotiation,
    Result,
    Scheduled,
    Session,
    State,
)
from consultation.session.times import Slot

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
            about = replace(_session(state).about, schedule_version=event.schedule_version)
            return Scheduled(about, _meeting(event))
        case PractitionerChanged():
            return PendingNegotiation(_changed(_session(state).about, event))
        case SessionStarted():
            return OnProgress(_session(state).about, _met(state), event.started_at)
        case ResultUploaded() | ResultReplaced():
            result = Result(event.result_id, event.has_link, event.has_notes)
            return Completed(_session(state).about, _met(state), _started(state), result)
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


def _changed(about: About, event: PractitionerChanged) -> About:
    return replace(
        about,
        practitioner_id=event.practitioner_id,
        respond_by=event.respond_by,
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
    about = replace(state.about, schedule_version=event.schedule_version)
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
