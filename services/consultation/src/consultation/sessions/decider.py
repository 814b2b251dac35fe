"""Whether a command may be, and what happened then (product.md, "Session lifecycle" and the rules it names).

Pure: no I/O, no clock, no random. Who may take a session from where to where is `LIFECYCLE`, data; the functions below
add what a table cannot say, each at one place. What only the database can know under concurrency (R2's one session,
S4's overlap, the entitlement as it is at the commit) is decided by `append.sql`.
"""

from datetime import date, datetime, time, timedelta
from typing import Literal, TypedDict, assert_never
from uuid import UUID

from booking_contracts.sessions import (
    CancelReason,
    FailReason,
    PractitionerChanged,
    PreviousSchedule,
    PreviousTime,
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStarted,
)
from consultation.sessions.commands import (
    Actor,
    Cancel,
    ChangePractitioner,
    Command,
    Fail,
    Refusal,
    Request,
    Reschedule,
    Schedule,
    Start,
    UploadResult,
)
from consultation.sessions.lifecycle import CANCEL_REASONS, FAIL_REASONS, LIFECYCLE, CommandName, allowed, ever
from consultation.sessions.state import (
    Completed,
    DomainEvent,
    NotRequested,
    OnProgress,
    PendingNegotiation,
    Scheduled,
    Session,
    State,
    meeting_of,
)
from consultation.sessions.times import Fault, Slot, place


class Parties(TypedDict):
    """What every event of a session carries, but the status."""

    session_id: UUID
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID


class ScheduleFields(TypedDict):
    """What both events of a schedule carry."""

    status: Literal["scheduled"]
    schedule_version: int
    scheduled_date: date
    time_start: time
    time_end: time
    timezone: str
    ends_next_day: bool
    fold: Literal[0, 1] | None
    fold_end: Literal[0, 1] | None
    starts_at: datetime
    ends_at: datetime
    meeting_link: str


class ResultFields(TypedDict):
    """What both events of a result carry; link and notes themselves are erasable text elsewhere (E4)."""

    result_id: UUID
    has_link: bool
    has_notes: bool
    ended_at: datetime | None


class GivenUpFields(TypedDict):
    """What an end tells of the schedule that no longer holds."""

    starts_at: datetime | None
    ends_at: datetime | None
    schedule_version: int


def parties(state: Session) -> Parties:
    """Whose session it is."""
    about = state.about
    return {
        "session_id": about.session_id,
        "transaction_id": about.transaction_id,
        "user_id": about.user_id,
        "practitioner_id": about.practitioner_id,
    }


def scheduled(slot: Slot, link: str, state: PendingNegotiation | Scheduled) -> ScheduleFields:
    """The next version of the schedule."""
    return {
        "status": "scheduled",
        "schedule_version": state.about.schedule_version + 1,
        "scheduled_date": slot.scheduled_date,
        "time_start": slot.time_start,
        "time_end": slot.time_end,
        "timezone": slot.timezone,
        "ends_next_day": slot.ends_next_day,
        "fold": slot.fold,
        "fold_end": slot.fold_end,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "meeting_link": link,
    }


def given_up(state: Session) -> GivenUpFields:
    """The schedule that the session had, under the version that ends it."""
    meeting = meeting_of(state)
    return {
        "starts_at": meeting and meeting.slot.starts_at,
        "ends_at": meeting and meeting.slot.ends_at,
        "schedule_version": state.about.schedule_version + 1,
    }


Decision = tuple[DomainEvent, ...] | Refusal


def decide(command: Command, state: State) -> Decision:  # noqa: PLR0911 - one case for each command
    """What happens, or why nothing may. No events and no refusal: it is so already."""
    refusal = _barred(command, state)
    if refusal is not None:
        return refusal
    match command, state:
        case Request(), _:
            return _request(command)
        case Schedule(), PendingNegotiation():
            return _schedule(command, state)
        case Reschedule(), Scheduled():
            return _reschedule(command, state)
        case Start(), Scheduled():
            return _start(command, state)
        case UploadResult(), Scheduled() | OnProgress() | Completed():
            return _upload_result(command, state)
        case Cancel(), PendingNegotiation() | Scheduled():
            return _cancel(command, state)
        case Fail(), PendingNegotiation() | Scheduled() | OnProgress():
            return _fail(command, state)
        case ChangePractitioner(), PendingNegotiation() | Scheduled():
            return _change_practitioner(command, state)
        case _:  # the table let through what the cases above don't know: a cell was added to one of them only
            raise AssertionError(f"{command} in {state}")


def name_of(command: Command, state: State) -> CommandName:
    """The lifecycle's name of this command; a result for a completed session replaces."""
    if isinstance(command, UploadResult) and isinstance(state, Completed):
        return "replace_result"
    return command.name


def hidden(command: Command, state: State) -> Refusal | None:
    """E1: the refusal of those for whom the session doesn't exist, or who may never do this to any."""
    name, actor = name_of(command, state), command.actor
    if not (isinstance(command, Request) or _exists_for(actor, state)):
        return Refusal("not_found", "There is no such session.")
    if actor.role not in ever(name):
        return Refusal("forbidden", f"A session's {actor.role} may not {name.replace('_', ' ')}.")
    return None


def _barred(command: Command, state: State) -> Refusal | None:
    refusal = hidden(command, state)
    if refusal is not None:
        return refusal
    name, actor = name_of(command, state), command.actor
    step = LIFECYCLE.get((state.status, name))
    if step is not None and actor.role in step.actors:
        return None
    return wrong_status(name, actor, state)


def wrong_status(name: CommandName, actor: Actor, state: State) -> Refusal:
    """The 409 that names the present status and what this actor may do in it."""
    return Refusal(
        "wrong_status",
        f"A session that is {state.status or 'not requested'} does not take {name.replace('_', ' ')}.",
        state.status,
        allowed(state.status, actor.role),
    )


def _exists_for(actor: Actor, state: State) -> bool:
    """E1: what is not theirs does not exist for them."""
    if isinstance(state, NotRequested):
        return False
    match actor.role:
        case "member":
            return actor.person_id == state.about.user_id
        case "practitioner":
            return actor.person_id == state.about.practitioner_id
        case "admin" | "system":
            return True
        case _:
            assert_never(actor.role)


def _request(command: Request) -> Decision:
    """R1: the member's own entitlement, paid and not being given back (P5), and the member's own assessment."""
    entitlement, assessment = command.entitlement, command.assessment
    if entitlement.user_id != command.actor.person_id:
        return Refusal("not_found", "There is no such transaction.")
    if assessment is not None and assessment.user_id != command.actor.person_id:
        return Refusal("not_found", "There is no such assessment.")
    if entitlement.status != entitlement.PAID or entitlement.practitioner_id is None or entitlement.kind is None:
        return Refusal("transaction_not_paid", f"The transaction is {entitlement.status.replace('_', ' ')}.")
    return (
        ScheduleRequested(
            session_id=command.session_id,
            transaction_id=entitlement.transaction_id,
            user_id=entitlement.user_id,
            practitioner_id=entitlement.practitioner_id,
            status="pending_negotiation",
            assessment_id=assessment and assessment.assessment_id,
            kind=entitlement.kind,
            respond_by=command.at + timedelta(minutes=entitlement.request_limit_minutes),
            auto_start=entitlement.auto_start,
        ),
    )


def _schedule(command: Schedule, state: PendingNegotiation) -> Decision:
    slot = place(command.times, command.at)
    if isinstance(slot, Fault):
        return _invalid_time(slot)
    return (SessionScheduled(**parties(state), **scheduled(slot, command.meeting_link, state)),)


def _reschedule(command: Reschedule, state: Scheduled) -> Decision:
    slot = place(command.times, command.at)
    if isinstance(slot, Fault):
        return _invalid_time(slot)
    held = state.meeting
    previous = PreviousSchedule(starts_at=held.slot.starts_at, ends_at=held.slot.ends_at, meeting_link=held.link)
    fields = scheduled(slot, command.meeting_link, state)
    return (SessionRescheduled(**parties(state), **fields, previous=previous),)


def _start(command: Start, state: Scheduled) -> Decision:
    """S6: the practitioner whenever they meet; the system only where the product says so, at the start or later."""
    if command.actor.role == "system" and not state.about.auto_start:
        return Refusal("not_due", "The product does not start its sessions by itself.")
    if command.actor.role == "system" and command.at < state.meeting.slot.starts_at:
        return Refusal("not_due", "The session's start has not come.")
    return (SessionStarted(**parties(state), status="on_progress", started_at=command.at),)


def _upload_result(command: UploadResult, state: Scheduled | OnProgress | Completed) -> Decision:
    fault = _unlikely_end(command, state)
    if fault is not None:
        return _invalid_time(fault)
    known = state.ended_at if isinstance(state, Completed) else None
    result: ResultFields = {
        "result_id": command.result_id,
        "has_link": command.has_link,
        "has_notes": command.has_notes,
        "ended_at": known if command.ended_at is None else command.ended_at,
    }
    if isinstance(state, Completed):
        replaced = state.result.result_id
        return (ResultReplaced(**parties(state), status="completed", **result, previous_result_id=replaced),)
    return (ResultUploaded(**parties(state), status="completed", **result),)


def _unlikely_end(command: UploadResult, state: Scheduled | OnProgress | Completed) -> Fault | None:
    """S8: after the start, as it was flagged, or else as it was scheduled; and not in the future."""
    began = None if isinstance(state, Scheduled) else state.started_at
    if command.ended_at is None:
        return None
    if command.ended_at > command.at:
        return Fault("ended_at", "The session's end is in the future.")
    if command.ended_at <= (began or state.meeting.slot.starts_at):
        return Fault("ended_at", "The session's end is not after its start.")
    return None


def _cancel(command: Cancel, state: PendingNegotiation | Scheduled) -> Decision:
    right = CANCEL_REASONS[command.actor.role]
    reason_code: CancelReason | None = next((code for code in right if code == command.reason_code), None)
    if reason_code is None:
        return _invalid_reason(command.reason_code, right)
    return (
        SessionCanceled(
            **parties(state),
            **given_up(state),
            status="canceled",
            reason_code=reason_code,
            reason_id=command.reason_id,
            previous_status=state.status,
        ),
    )


def _fail(command: Fail, state: PendingNegotiation | Scheduled | OnProgress) -> Decision:
    right = FAIL_REASONS[command.actor.role]
    reason_code: FailReason | None = next((code for code in right if code == command.reason_code), None)
    if reason_code is None:
        return _invalid_reason(command.reason_code, right)
    if reason_code == "practitioner_timeout":
        # R4. The timer's row may be older than the stream: answered meanwhile, or reassigned with a later term.
        if not isinstance(state, PendingNegotiation):
            return wrong_status("fail", command.actor, state)
        if command.at < state.about.respond_by:
            return Refusal("not_due", "The practitioner may still answer.")
    return (
        SessionFailed(
            **parties(state),
            **given_up(state),
            status="failed",
            reason_code=reason_code,
            reason_id=command.reason_id,
            previous_status=state.status,
        ),
    )


def _change_practitioner(command: ChangePractitioner, state: PendingNegotiation | Scheduled) -> Decision:
    about, meeting = state.about, meeting_of(state)
    if command.practitioner_id == about.practitioner_id:
        return ()
    slot = meeting and meeting.slot
    return (
        PractitionerChanged(
            session_id=about.session_id,
            transaction_id=about.transaction_id,
            user_id=about.user_id,
            practitioner_id=command.practitioner_id,
            status="pending_negotiation",
            previous_practitioner_id=about.practitioner_id,
            previous_status=state.status,
            previous=slot and PreviousTime(starts_at=slot.starts_at, ends_at=slot.ends_at),
            respond_by=command.respond_by,
            schedule_version=about.schedule_version + 1,
        ),
    )


def _invalid_time(fault: Fault) -> Refusal:
    return Refusal("invalid_time", fault.message, faults=(fault,))


def _invalid_reason(code: str, right: tuple[str, ...]) -> Refusal:
    message = f"{code!r} is not among the reasons for this: {', '.join(right)}."
    return Refusal("invalid_reason", message, faults=(Fault("reason_code", message),))
