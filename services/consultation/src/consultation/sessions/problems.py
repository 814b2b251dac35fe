"""The domain's errors as RFC 9457 problems (status, stable code and fields of api.md), and which a route documents."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from pydantic import BaseModel

from booking_contracts.sessions import SessionStatus
from booking_store import Busy, KeyReused, Refused, Stale
from booking_web.instants import InstantOut
from booking_web.problems import Members, Problem, conflict, forbidden, not_found, stale_version, unprocessable
from consultation.links import InvalidLinkError
from consultation.sessions.commands import Refusal
from consultation.sessions.lifecycle import PersonalCommand
from consultation.sessions.store import AlreadyRequested, Overlapped, Party
from consultation.sessions.times import TOO_LONG


class WrongStatus(Members, title="SessionWrongStatusProblem"):
    """The status that refuses it, and what the caller may do in it."""

    current_status: SessionStatus
    allowed_commands: list[PersonalCommand]


class Existing(Members):
    """The session that is there already."""

    session_id: UUID


class SessionConflict(BaseModel):
    """A session in the way."""

    session_id: UUID
    starts_at: InstantOut
    ends_at: InstantOut


class Overlap(Members):
    """Whose time is taken, and by which of the sessions that the caller may see."""

    party: Party
    conflicts: list[SessionConflict]


_SESSION = UUID("0198d2a0-7777-7000-8000-000000000007")
_CONFLICT = SessionConflict(
    session_id=_SESSION,
    starts_at=datetime(2026, 12, 1, 2, tzinfo=UTC),
    ends_at=datetime(2026, 12, 1, 3, tzinfo=UTC),
)


def _at(field: str, code: str, detail: str) -> Problem:
    return unprocessable(code, detail, errors=[{"pointer": f"/{field}", "code": code, "detail": detail}])


BUSY = conflict("changed_meanwhile", "Others changed it at the same moment. Read it again, then decide.")
WRONG_STATUS = conflict(
    "wrong_status",
    "A session that is completed cannot be started.",
    WrongStatus(current_status="completed", allowed_commands=["replace_result"]),
)
REQUEST = (
    conflict("transaction_not_paid", "The transaction is awaiting payment."),
    conflict("active_session_exists", "The transaction has a session under way.", Existing(session_id=_SESSION)),
    conflict("transaction_used", "The transaction's session is over.", Existing(session_id=_SESSION)),
    BUSY,
)
SCHEDULE = (
    WRONG_STATUS,
    conflict("overlap", "The practitioner has a session then.", Overlap(party="practitioner", conflicts=[_CONFLICT])),
    BUSY,
    _at("time_end", "invalid_time", TOO_LONG),
    _at("meeting_link", "invalid_link", "A Google Meet link is https://meet.google.com/xxx-xxxx-xxx."),
)
START = (WRONG_STATUS, BUSY)
RESULT = (
    WRONG_STATUS,
    BUSY,
    _at("result_link", "invalid_link", "The link is not one of https."),
    _at("ended_at", "invalid_time", "The session's end is in the future."),
)
CANCEL = (WRONG_STATUS, BUSY, _at("reason_code", "invalid_reason", "No reason of this command and actor."))
FAIL = (WRONG_STATUS, BUSY)


def _overlapped(error: Overlapped) -> Problem:
    clashes = [
        SessionConflict(session_id=clash.session_id, starts_at=clash.starts_at, ends_at=clash.ends_at)
        for clash in error.conflicts
    ]
    detail = {
        "practitioner": "The practitioner has another session at that time.",
        "member": "The member has another session at that time.",
        "both": "Both have another session at that time.",
    }[error.party]
    return conflict("overlap", detail, Overlap(party=error.party, conflicts=clashes))


def _already_requested(error: AlreadyRequested) -> Problem:
    if error.used:
        detail = "The transaction's session is completed."
        return conflict("transaction_used", detail, Existing(session_id=error.session_id))
    detail = "There is an active session for this transaction or assessment."
    return conflict("active_session_exists", detail, Existing(session_id=error.session_id))


def _key_reused(_error: KeyReused) -> Problem:
    return unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")


def _busy(_error: Busy) -> Problem:
    return conflict("changed_meanwhile", "Others changed it at the same moment. Read it again, then decide.")


def _refused(error: Refused) -> Problem:
    refusal: Refusal = error.refusal
    match refusal.code:
        case "not_found":
            return not_found(refusal.detail)
        case "forbidden":
            return forbidden(detail=refusal.detail)
        case "wrong_status":
            assert refusal.current_status is not None  # a session that is not there is not found
            allowed = list(refusal.allowed_commands)
            now = WrongStatus(current_status=refusal.current_status, allowed_commands=allowed)
            return conflict("wrong_status", refusal.detail, now)
        case "invalid_time" | "invalid_reason":
            errors = [
                {"pointer": f"/{fault.field}", "code": refusal.code, "detail": fault.message}
                for fault in refusal.faults
            ]
            return unprocessable(refusal.code, refusal.detail, errors=errors)
        case "transaction_not_paid" | "not_due":
            return conflict(refusal.code, refusal.detail)


def invalid_link(field: str, error: InvalidLinkError) -> NoReturn:
    """S3: the link is refused, and why."""
    errors = [{"pointer": f"/{field}", "code": "invalid_link", "detail": str(error)}]
    raise unprocessable("invalid_link", str(error), errors=errors) from error


PROBLEMS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    Refused: _refused,
    Stale: lambda error: stale_version(error.current),
    Overlapped: _overlapped,
    AlreadyRequested: _already_requested,
    KeyReused: _key_reused,
    Busy: _busy,
}
