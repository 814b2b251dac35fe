"""Instants as callers write them in a query."""

from datetime import date, datetime, time
from typing import Annotated

from fastapi import Query

from booking_chassis.problems import Problem, unprocessable
from booking_contracts.zones import zone as zone_of

Text = Annotated[str | None, Query(max_length=64)]
LONGEST_DAYS = 400


def instant(text: str, pointer: str, zone: str) -> datetime:
    """An RFC 3339 instant, or a date that begins in the platform's zone; 422 `invalid_time` else.

    An unescaped `+07:00` arrives as a blank: it is meant as the sign it was.
    """
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), zone_of(zone))
        found = datetime.fromisoformat(text.replace(" ", "+").replace("z", "Z"))
    except (ValueError, OverflowError):
        raise _invalid(pointer, "not an instant such as 2026-12-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise _invalid(pointer, "an instant needs its offset, such as Z or +07:00")
    return found


def span(start: str, end: str, zone: str) -> tuple[datetime, datetime]:
    """`[start, end)`, not reversed and at most 400 days long; 422 `invalid_time` else."""
    first, last = instant(start, "?start", zone), instant(end, "?end", zone)
    try:
        reversed_, days = last < first, (last - first).days
    except (ValueError, OverflowError):
        raise _invalid("?end", "out of range") from None
    if reversed_ or days > LONGEST_DAYS:
        raise _invalid("?end", f"not after start, or more than {LONGEST_DAYS} days after it")
    if not 1 < first.year < 9999 or not 1 < last.year < 9999:
        raise _invalid("?start", "out of range")
    return first, last


def _invalid(pointer: str, detail: str) -> Problem:
    error = {"pointer": pointer, "code": "invalid_time", "detail": detail}
    return unprocessable("invalid_time", "The range is not one.", errors=[error])


INVALID_RANGE = _invalid("?end", f"not after start, or more than {LONGEST_DAYS} days after it")
"""As the document shows it."""
