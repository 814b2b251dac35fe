"""What the domain's errors are to callers, and why a Transaction is not changed, as the document shows it (409)."""

from collections.abc import Callable, Mapping
from typing import Any

from booking_store import Busy, KeyReused, Refused, Stale
from booking_web.problems import Members, Problem, conflict, not_found, stale_version, unprocessable
from checkout.transactions.commands import Refusal
from checkout.transactions.decider import NOT_REFUNDABLE
from checkout.transactions.state import Status


class WrongStatus(Members, title="TransactionWrongStatusProblem"):
    """The status that refuses it."""

    current_status: Status


class RefundInProgress(Members):
    """The status while its money is being returned."""

    current_status: Status


_WITH_STATUS: Mapping[str, type[WrongStatus] | type[RefundInProgress]] = {
    "wrong_status": WrongStatus,
    "refund_in_progress": RefundInProgress,
}
"""The codes whose reason is the status."""

CHANGED_MEANWHILE = "It kept changing while this was decided. Try again."
CHANGED = conflict("changed_meanwhile", CHANGED_MEANWHILE)
WRONG_STATUS = conflict(
    "wrong_status", "That is not possible for a Transaction that is paid.", WrongStatus(current_status="paid")
)
REFUND_IN_PROGRESS = conflict(
    "refund_in_progress", "Its money is being returned.", RefundInProgress(current_status="paid")
)
LEFT = conflict("not_refundable", NOT_REFUNDABLE.detail)
NOT_AVAILABLE = conflict("practitioner_not_available", "This practitioner takes no clients now.")
OWN = conflict("own_practitioner", "Nobody buys a session from themselves.")

RETURN_URL = "Members may not return there from paying: the origin is none of RETURN_ORIGINS."
RETURN_URL_NOT_ALLOWED = unprocessable(
    "return_url_not_allowed",
    RETURN_URL,
    errors=[{"pointer": "/return_url", "code": "not_allowed", "detail": RETURN_URL}],
)

CREATE = (
    RETURN_URL_NOT_ALLOWED,
    conflict("product_not_available", "This product is not sold now."),
    NOT_AVAILABLE,
    OWN,
    conflict("too_many_unpaid", "20 Transactions await payment already: pay or cancel one first."),
    CHANGED,
)
CANCEL = (WRONG_STATUS, CHANGED)
REFUND = (WRONG_STATUS, REFUND_IN_PROGRESS, LEFT, CHANGED)
REASSIGN = (
    WRONG_STATUS,
    REFUND_IN_PROGRESS,
    NOT_AVAILABLE,
    OWN,
    conflict("same_practitioner", "This is the practitioner it has."),
    conflict("session_started", "Its session is completed: the pair stays."),
    CHANGED,
)


def _refused(error: Refused) -> Problem:
    refusal: Refusal = error.refusal
    if refusal.code == "not_found":
        return not_found(refusal.detail)
    status, said = refusal.current_status, _WITH_STATUS.get(refusal.code)
    return conflict(refusal.code, refusal.detail, said(current_status=status) if said and status else None)


def _key_reused(_error: KeyReused) -> Problem:
    return unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")


PROBLEMS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    Refused: _refused,
    Stale: lambda error: stale_version(error.current),
    KeyReused: _key_reused,
    Busy: lambda _error: conflict("changed_meanwhile", CHANGED_MEANWHILE),
}
