"""Instants as callers write them: RFC 3339 and nothing else, one parser for queries and bodies of every service.

Digits alone, a Unix time, a JSON number, a week or a time without its offset is refused: each reader would take it for
another moment. A date is none either, but an end of a range may be one (`BoundIn`). `t` and `z` may be small (RFC 3339
§5.6). A leap second (`23:59:60`) is refused, as no clock or database here can keep it; so is what lies outside of the
years 1 to 9999 in UTC.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from booking_contracts.zones import zone as zone_of

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,30}))?"
    r"(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLANK = re.compile(r".*T.* [0-9]{2}:?[0-9]{2}", re.IGNORECASE | re.DOTALL)
_EXPECTED = "an instant is written as RFC 3339 says, such as 2026-12-01T00:00:00Z or 2026-12-01T07:00:00+07:00"


def parse_instant(text: object) -> datetime:
    """The instant in UTC; ValueError with a sentence for the caller. Digits beyond microseconds are cut off."""
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        if isinstance(text, str) and _BLANK.fullmatch(text):
            raise ValueError("the + of an offset is written %2B in an address: unescaped it means a blank")
        raise ValueError(_EXPECTED)
    day, hour, minute, second, fraction, _zulu, sign, hours, minutes = found.groups()
    if second == "60":
        raise ValueError("a leap second cannot be kept here; write the second before or after it")
    if sign and (int(hours) > 23 or int(minutes) > 59):
        raise ValueError("an offset is at most 23:59")
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    try:
        micro = int((fraction or "0")[:6].ljust(6, "0"))
        local = datetime.combine(date.fromisoformat(day), time(int(hour), int(minute), int(second), micro))
        return local.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day or time within the years 1 to 9999") from None


def invalid_instant(error: ValueError) -> PydanticCustomError:
    """The refusal as a model's error, with the code `invalid_instant`."""
    return PydanticCustomError("invalid_instant", "{reason}", {"reason": str(error)})


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):  # a default, or a value of ours
        return value
    try:
        return parse_instant(value)
    except ValueError as error:
        raise invalid_instant(error) from None


InstantIn = Annotated[
    datetime,
    BeforeValidator(_instant, json_schema_input_type=AwareDatetime),
    Field(json_schema_extra={"format": "date-time"}),
]
"""An instant that a caller gives, in a query or in a body."""


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


InstantOut = Annotated[AwareDatetime, AfterValidator(_utc)]
"""An instant that is answered: in UTC, with `Z`, whatever zone the database's session has."""


def written(value: datetime) -> str:
    """An instant as every answer writes it."""
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def bound_at(text: str, zone: str) -> datetime:
    """The instant of an end of a range in UTC; a date is its first moment in this zone. ValueError for neither."""
    if not _DATE.fullmatch(text):
        return parse_instant(text)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("there is no such day") from None
    if not 1 < day.year < 9999:
        raise ValueError("a day lies within the years 2 to 9998")
    return datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)


def _bound(text: str) -> str:
    try:
        bound_at(text, "UTC")
    except ValueError as error:
        raise invalid_instant(error) from None
    return text


BoundIn = Annotated[str, Field(max_length=64, examples=["2026-12-01T00:00:00Z"]), AfterValidator(_bound)]
"""An end of a range that a caller gives: an instant (RFC 3339), or a date, which begins in the platform's zone."""
