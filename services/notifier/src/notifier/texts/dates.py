"""Instants as a reader sees them: in the reader's own zone, with the zone's name and its offset at that time (E3).

The offset and the short name are those that the zone's rules give that instant. CLDR's names are not asked: they know
a zone's standard and daylight time, not which of them a government has chosen for good, and take Dublin's winter for
its summer.

Zone and language are required arguments everywhere: a default would one day be the server's.
"""

from datetime import UTC, datetime

from babel.dates import format_datetime

from booking_contracts.zones import Zone, zone_named
from booking_contracts.zones import zone as known_zone
from booking_web.languages import Language

_DAY = {"id": "EEEE, d MMMM y", "en": "EEEE, d MMMM y"}
_TIME = {"id": "HH.mm", "en": "HH:mm"}


def zone_of(name: str | None, fallback: str) -> Zone:
    """The zone of that IANA name, or of the fallback when this release has none of it. The fallback must exist."""
    return zone_named(name or fallback) or known_zone(fallback)


def moment(instant: datetime, zone: Zone, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00 WIB (GMT+07:00, Asia/Jakarta)`."""
    local = instant.astimezone(zone)
    return f"{_format(local, _DAY, language)}, {_format(local, _TIME, language)} {zone_at(local)}"


def span(starts_at: datetime, ends_at: datetime, zone: Zone, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00–10.00 WIB (GMT+07:00, Asia/Jakarta)`; both dates when it ends on another day.

    Where the zone's offset changes in between, both ends say their zone in full.
    """
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if start.utcoffset() != end.utcoffset() or start.date() != end.date():
        return f"{moment(starts_at, zone, language)} – {moment(ends_at, zone, language)}"
    day, first, last = _format(start, _DAY, language), _format(start, _TIME, language), _format(end, _TIME, language)
    return f"{day}, {first}–{last} {zone_at(start)}"


def zone_at(local: datetime) -> str:
    """`WIB (GMT+07:00, Asia/Jakarta)`, without a short name where the rules have none but figures."""
    short, offset = local.tzname() or "", f"{local:%z}"
    named = "" if short.lstrip("+-").isdigit() else f"{short} "
    return f"{named}(GMT{offset[:3]}:{offset[3:5]}, {local.tzinfo})"


def utc(instant: datetime) -> datetime:
    """The same instant in UTC."""
    return instant.astimezone(UTC)


def _format(local: datetime, pattern: dict[str, str], language: Language) -> str:
    return format_datetime(local, pattern[language], tzinfo=local.tzinfo, locale=language)
