"""Why a session is not changed, as the document shows it; `problems.py` makes them of the domain's errors."""

from booking_web.problems import Problem, conflict, unprocessable

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
    _at("time_end", "invalid_time", "A session takes at most 8 hours."),
    _at("meeting_link", "invalid_link", "A Google Meet link is https://meet.google.com/xxx-xxxx-xxx."),
)
START = (WRONG_STATUS, BUSY)
RESULT = (WRONG_STATUS, BUSY, _at("result_link", "invalid_link", "The link is not one of https."))
END = (WRONG_STATUS, BUSY, _at("reason_code", "invalid_reason", "No reason of this command and actor."))
