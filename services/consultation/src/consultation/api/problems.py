"""The domain's errors as RFC 9457 problems: status, stable code and fields of api.md."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from booking_web.problems import Problem, conflict, forbidden, not_found, stale_version, unprocessable
from consultation.errors import (
    AlreadyRequested,
    Busy,
    ConsultationError,
    KeyReused,
    Overlapped,
    Refused,
    Stale,
)
from consultation.links import InvalidLinkError
from consultation.session.refusal import Refusal


@contextmanager
def as_problems() -> Generator[None]:
    """What is raised inside leaves as a Problem."""
    try:
        yield
    except ConsultationError as error:
        raise problem_of(error) from error


def problem_of(error: ConsultationError) -> Problem:  # noqa: PLR0911 - one case for each error
    """The answer to a command that was not carried out."""
    match error:
        case Refused():
            return _refused(error.refusal)
        case Stale():
            return stale_version(error.current)
        case Overlapped():
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
        case AlreadyRequested() if error.used:
            detail = "The transaction's session is completed."
            return conflict("transaction_used", detail, session_id=error.session_id)
        case AlreadyRequested():
            detail = "There is an active session for this transaction or assessment."
            return conflict("active_session_exists", detail, session_id=error.session_id)
        case KeyReused():
            return unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")
        case Busy():
            return conflict("conflict", "Others changed it at the same moment. Read it again, then decide.")
        case _:
            raise error


def _refused(refusal: Refusal) -> Problem:
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
