"""The domain's errors as RFC 9457 problems (status, stable code and fields of api.md), and which a route documents."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from booking_store import Busy, KeyReused, Refused, Stale
from booking_web.problems import Problem, conflict, forbidden, not_found, stale_version, unprocessable
from consultation.links import InvalidLinkError
from consultation.sessions.commands import Refusal
from consultation.sessions.store import AlreadyRequested, Overlapped
from consultation.sessions.times import TOO_LONG

_SESSION = "0198d2a0-7777-7000-8000-000000000007"


def _at(field: str, code: str, detail: str) -> Problem:
    return unprocessable(code, detail, errors=[{"pointer": f"/{field}", "code": code, "detail": detail}])


BUSY = conflict("conflict", "Others changed it at the same moment. Read it again, then decide.")
WRONG_STATUS = conflict(
    "wrong_status",
    "A session that is completed cannot be started.",
    current_status="completed",
    allowed_commands=["replace_result"],
)
REQUEST = (
    conflict("transaction_not_paid", "The transaction is awaiting payment."),
    conflict("active_session_exists", "The transaction has a session under way.", session_id=_SESSION),
    conflict("transaction_used", "The transaction's session is over.", session_id=_SESSION),
    BUSY,
)
SCHEDULE = (
    WRONG_STATUS,
    conflict("overlap", "The practitioner has a session then.", party="practitioner", conflicts=[]),
    BUSY,
    _at("time_end", "invalid_time", TOO_LONG),
    _at("meeting_link", "invalid_link", "A Google Meet link is https://meet.google.com/xxx-xxxx-xxx."),
)
START = (WRONG_STATUS, BUSY)
RESULT = (WRONG_STATUS, BUSY, _at("result_link", "invalid_link", "The link is not one of https."))
END = (WRONG_STATUS, BUSY, _at("reason_code", "invalid_reason", "No reason of this command and actor."))


def _overlapped(error: Overlapped) -> Problem:
    clashes = [
        {"session_id": clash.session_id, "starts_at": clash.starts_at, "ends_at": clash.ends_at}
        for clash in error.conflicts
    ]
    detail = {
        "practitioner": "The practitioner has another session at that time.",
        "member": "The member has another session at that time.",
        "both": "Both have another session at that time.",
    }[error.party]
    return conflict("overlap", detail, party=error.party, conflicts=clashes)


def _already_requested(error: AlreadyRequested) -> Problem:
    if error.used:
        detail = "The transaction's session is completed."
        return conflict("transaction_used", detail, session_id=error.session_id)
    detail = "There is an active session for this transaction or assessment."
    return conflict("active_session_exists", detail, session_id=error.session_id)


def _key_reused(_error: KeyReused) -> Problem:
    return unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")


def _busy(_error: Busy) -> Problem:
    return conflict("conflict", "Others changed it at the same moment. Read it again, then decide.")


def _refused(error: Refused) -> Problem:
    refusal: Refusal = error.refusal
    match refusal.code:
        case "not_found":
            return not_found(refusal.detail)
        case "forbidden":
            return forbidden(detail=refusal.detail)
        case "wrong_status":
            return conflict(
                "wrong_status",
                refusal.detail,
                current_status=refusal.current_status,
                allowed_commands=list(refusal.allowed_commands),
            )
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
