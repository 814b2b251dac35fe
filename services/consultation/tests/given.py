"""Given / when / then for the decider: sessions in every status, commands by every actor, at one fixed hour."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from booking_contracts.sessions import SessionStatus
from consultation.entitlements.domain import Entitlement
from consultation.sessions.commands import (
    SYSTEM,
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
from consultation.sessions.decider import decide
from consultation.sessions.lifecycle import CommandName
from consultation.sessions.state import DomainEvent, NotRequested, Session, State
from consultation.sessions.times import LocalTimes

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
TERM = timedelta(days=7)
DUE = NOW + TERM

SESSION, TRANSACTION, ASSESSMENT = (UUID(int=n) for n in (1, 2, 3))
MEMBER, PRACTITIONER, ADMIN, NEW_PRACTITIONER = (UUID(int=n) for n in (10, 20, 30, 40))
RESULT, SECOND_RESULT, REASON = (UUID(int=n) for n in (50, 51, 52))

member = Actor("member", MEMBER)
practitioner = Actor("practitioner", PRACTITIONER)
admin = Actor("admin", ADMIN)
system = SYSTEM
other_member = Actor("member", UUID(int=11))
other_practitioner = Actor("practitioner", NEW_PRACTITIONER)
ACTORS = {
    "member": member,
    "practitioner": practitioner,
    "admin": admin,
    "system": system,
    "other_member": other_member,
    "other_practitioner": other_practitioner,
}

LINK = "https://meet.google.com/abc-defg-hij"
NINE = LocalTimes(date(2026, 12, 2), time(9), time(10), "Asia/Jakarta")
TEN = LocalTimes(date(2026, 12, 2), time(10), time(11), "Asia/Jakarta")
STARTS = datetime(2026, 12, 2, 2, tzinfo=UTC)


def sale(**changed: Any) -> Entitlement:
    """A paid sale."""
    fields: dict[str, Any] = {
        "transaction_id": TRANSACTION,
        "user_id": MEMBER,
        "practitioner_id": PRACTITIONER,
        "status": "paid",
        "kind": "counseling",
        "request_limit_minutes": TERM // timedelta(minutes=1),
        "auto_start": False,
        "version": 3,
    }
    return Entitlement(**(fields | changed))


def request(actor: Actor = member, **changed: Any) -> Request:
    """A request on a paid sale."""
    fields: dict[str, Any] = {"at": NOW, "session_id": SESSION, "entitlement": sale()}
    return Request(actor, **(fields | changed))


COMMANDS: dict[CommandName, Any] = {
    "request": request,
    "schedule": lambda actor: Schedule(actor, NOW, NINE, LINK),
    "reschedule": lambda actor: Reschedule(actor, NOW, TEN, LINK),
    "start": lambda actor: Start(actor, STARTS),
    "upload_result": lambda actor: UploadResult(actor, NOW, RESULT, has_link=True, has_notes=False),
    "replace_result": lambda actor: UploadResult(actor, NOW, SECOND_RESULT, has_link=False, has_notes=True),
    "change_practitioner": lambda actor: ChangePractitioner(actor, NOW, NEW_PRACTITIONER, NOW + TERM),
    "cancel": lambda actor: Cancel(actor, NOW, "other", REASON),
    "fail": lambda actor: Fail(actor, NOW, "payment_reversed" if actor.role == "system" else "technical", None),
}


def then(state: State, *commands: Command) -> State:
    """The state after these commands; each must be accepted."""
    for command in commands:
        decision = decide(command, state)
        assert not isinstance(decision, Refusal), decision
        state = fold_onto(state, decision)
    return state


def fold_onto(state: State, events: tuple[DomainEvent, ...]) -> State:
    from consultation.sessions.state import evolve

    for event in events:
        state = evolve(state, event)
    return state


def given(status: SessionStatus | None, **sold: Any) -> State:
    """A session that came to this status by the shortest way."""
    state = NotRequested()
    if status is None:
        return state
    steps: dict[SessionStatus, list[Command]] = {
        "pending_negotiation": [],
        "scheduled": [COMMANDS["schedule"](practitioner)],
        "on_progress": [COMMANDS["schedule"](practitioner), COMMANDS["start"](practitioner)],
        "completed": [COMMANDS["schedule"](practitioner), COMMANDS["upload_result"](practitioner)],
        "canceled": [COMMANDS["cancel"](member)],
        "failed": [COMMANDS["fail"](admin)],
    }
    return then(state, request(entitlement=sale(**sold)), *steps[status])


def session(status: SessionStatus, **sold: Any) -> Session:
    """As `given`, for a session that there is."""
    state = given(status, **sold)
    assert not isinstance(state, NotRequested)
    return state


def accepted(command: Command, state: State) -> DomainEvent:
    """The one event of a command that is accepted."""
    decision = decide(command, state)
    assert not isinstance(decision, Refusal), decision
    (event,) = decision
    return event


def refused(command: Command, state: State) -> Refusal:
    """The refusal of a command."""
    decision = decide(command, state)
    assert isinstance(decision, Refusal), decision
    return decision
