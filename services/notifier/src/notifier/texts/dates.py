"""Instants as a reader sees them: in the reader's own zone, with the zone's name and city (E3).

Zone and language are required arguments everywhere: a default would one day be the server's.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime, get_timezone_name

from notifier.rules.channels import Language

_DAY = {"id": "EEEE, d MMMM y", "en": "EEEE, d MMMM y"}
_TIME = {"id": "HH.mm", "en": "HH:mm"}


@lru_cache(maxsize=1024)
def zone_of(name: str | None, fallback: str) -> ZoneInfo:
    """The zone of that IANA name, or of the fallback when nobody knows it. The fallback must exist."""
    try:
        return ZoneInfo(name or fallback)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(fallback)


def moment(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00 WIB (Asia/Jakarta)`."""
    local = instant.astimezone(zone)
    return f"{_format(local, _DAY, language)}, {_format(local, _TIME, language)} {_zone(local, zone, language)}"


def span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00–10.00 WIB (Asia/Jakarta)`; both dates when it ends on another local day.

    Where the zone's offset changes in between, both ends say their zone in full.
    """
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if start.utcoffset() != end.utcoffset() or start.date() != end.date():
        return f"{moment(starts_at, zone, language)} – {moment(ends_at, zone, language)}"
    day, first, last = _format(start, _DAY, language), _format(start, _TIME, language), _format(end, _TIME, language)
    return f"{day}, {first}–{last} {_zone(start, zone, language)}"


def utc(instant: datetime) -> datetime:
    """The same instant in UTC."""
    return instant.astimezone(UTC)


def _format(local: datetime, pattern: dict[str, str], language: Language) -> str:
    return format_datetime(local, pattern[language], tzinfo=local.tzinfo, locale=language)


def _zone(local: datetime, zone: ZoneInfo, language: Language) -> str:
    """A name that readers of this language know (WIB, Western Indonesia Time), then the IANA name with the city."""
    short = get_timezone_name(local, width="short", locale=language)
    name = get_timezone_name(local, width="long", locale=language) if short.lstrip("+-").isdigit() else short
    return f"{name} ({zone.key})"
