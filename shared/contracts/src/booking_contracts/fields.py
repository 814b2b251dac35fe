"""The kinds of value that an event may hold, each with one spelling on the wire."""

import re
from datetime import UTC, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, PlainSerializer, StringConstraints, WithJsonSchema

UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""As we write it."""

UUID_IN_ANY_CASE = UUID_PATTERN.replace("a-f", "a-fA-F")
"""As others may write it (RFC 9562 §4): Swift and SQL Server write capitals."""


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:  # 0001-01-01T00:00+14:00 lies before the first year there is
        raise ValueError("the instant lies outside of the years 1 to 9999") from error


def _whole_minute(local: time) -> time:
    if local.second or local.microsecond or local.tzinfo is not None:
        raise ValueError("a local time is HH:MM, without seconds and zone")
    return local


def _hh_mm(local: time) -> str:
    return f"{local.hour:02}:{local.minute:02}"


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment, always in UTC and written with `Z` (RFC 3339)."""

LocalTime = Annotated[
    time,
    AfterValidator(_whole_minute),
    PlainSerializer(_hh_mm, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""A wall clock's `HH:MM`, without zone: the zone stands beside it."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A short name made for machines: a provider, a template, an error code."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
"""Words for people that may be public: a product's name, a profile's bio. Never free text of a session (E4)."""

ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""An IANA zone name such as `Asia/Jakarta`. Whether it exists was checked when the event was decided."""

Link = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
"""An address in the canonical form that product.md S3 describes."""

Minutes = Annotated[int, Field(ge=0, le=10_000_000)]
ScheduleVersion = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""0 before the first schedule, then +1 by every change of it: the iCalendar SEQUENCE and the fence of N4."""

Attempt = Annotated[int, Field(ge=0, le=2**31 - 1)]

ProductKind = Literal["verification", "counseling"]
Channel = Literal["email", "whatsapp"]

RECIPIENT = re.compile(f"^(admins|{UUID_PATTERN})$")
Recipient = Annotated[str, StringConstraints(pattern=RECIPIENT.pattern)]
"""A person's id, or `admins`: one mail to all of the setting `admin_emails`."""
