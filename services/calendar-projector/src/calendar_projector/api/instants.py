"""The range that a calendar is asked for."""

from datetime import datetime

from booking_web.instants import bound_at
from booking_web.problems import Problem, unprocessable

LONGEST_DAYS = 400


def span(start: str, end: str, zone: str) -> tuple[datetime, datetime]:
    """`[start, end)`, not reversed and at most 400 days long; 422 `invalid_time` else. Dates begin in `zone`."""
    first, last = bound_at(start, zone), bound_at(end, zone)
    if last < first or (last - first).days > LONGEST_DAYS:
        raise _invalid("?end", f"not after start, or more than {LONGEST_DAYS} days after it")
    if not 1 < first.year < 9999 or not 1 < last.year < 9999:
        raise _invalid("?start", "out of range")
    return first, last


def _invalid(pointer: str, detail: str) -> Problem:
    error = {"pointer": pointer, "code": "invalid_time", "detail": detail}
    return unprocessable("invalid_time", "The range is not one.", errors=[error])


INVALID_RANGE = _invalid("?end", f"not after start, or more than {LONGEST_DAYS} days after it")
"""As the document shows it."""
