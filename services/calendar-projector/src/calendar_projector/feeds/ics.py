"""A calendar as RFC 5545 and RFC 7986 write it, for calendar apps.

One UID for a session's whole life (the same as in the invitations by mail), SEQUENCE is the schedule's version. A
canceled or failed session stays with STATUS:CANCELLED, which some apps mark and Google takes for a removal, and with
TRANSP:TRANSPARENT, since Outlook and free/busy look at that alone: the time is free again.

There is no METHOD: a subscribed calendar is no message (RFC 5546), and with PUBLISH each event would need an ORGANIZER.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from booking_web.languages import Language
from calendar_projector.calendar.reads import Entry, calendar_name, title

if TYPE_CHECKING:
    from icalendar import Event, Timezone

UID_DOMAIN = "booking"
_RENDERING = "3"
"""Part of the ETag: raise it when the text below changes."""
_MEETING: Any = {"VALUE": "URI", "FEATURE": ["AUDIO", "VIDEO"]}  # two features: one text would be quoted as one
_ENDED = frozenset({"canceled", "failed"})


def tag(entries: Sequence[Entry], language: Language) -> str:
    """The ETag of what `render` would write: it depends on the rows alone, never on the clock."""
    sha = hashlib.sha256(f"{_RENDERING} {language}".encode())
    for entry in entries:
        sha.update(f"{entry.session_id} {entry.row_version} {entry.version}\n".encode())
    return f'"{sha.hexdigest()[:32]}"'


def render(entries: Sequence[Entry], language: Language) -> bytes:
    """The whole feed. Slow for a long one, and the first time: not for the event loop."""
    import icalendar  # noqa: PLC0415 a fifth of a second that no start should wait for

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//booking//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", calendar_name(language))
    calendar.add("x-wr-calname", calendar_name(language))
    calendar.add("refresh-interval", icalendar.vDuration(timedelta(minutes=15)), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", icalendar.vDuration(timedelta(minutes=15)))
    for entry in entries:
        if entry.starts_at is not None and entry.ends_at is not None:
            calendar.add_component(_event(icalendar, entry, language))
    if not calendar.subcomponents:
        calendar.add_component(_utc(icalendar))
    return calendar.to_ical()


def _utc(icalendar: Any) -> "Timezone":
    """What an empty calendar holds: one component there must be (RFC 5545 §3.6)."""
    standard = icalendar.TimezoneStandard()
    standard.add("dtstart", datetime.fromisoformat("1970-01-01"))  # local time, as §3.6.5 wants it
    standard.add("tzoffsetfrom", timedelta(0))
    standard.add("tzoffsetto", timedelta(0))
    zone = icalendar.Timezone()
    zone.add("tzid", "Etc/UTC")
    zone.add_component(standard)
    return zone


def _event(icalendar: Any, entry: Entry, language: Language) -> "Event":
    event = icalendar.Event()
    event.add("uid", f"session-{entry.session_id}@{UID_DOMAIN}")
    event.add("sequence", entry.schedule_version)
    # The row's last change, not the moment of rendering: else no two answers would be the same, and no ETag would hold.
    event.add("dtstamp", entry.changed_at)
    event.add("last-modified", entry.changed_at)
    event.add("dtstart", entry.starts_at)
    event.add("dtend", entry.ends_at)
    event.add("summary", title(entry.status, language))
    event.add("status", "CANCELLED" if entry.status in _ENDED else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if entry.status in _ENDED else "OPAQUE")
    if entry.meeting_link and entry.status not in _ENDED:
        event.add("url", icalendar.vUri(entry.meeting_link))
        event.add("location", entry.meeting_link)
        event.add("conference", icalendar.vUri(entry.meeting_link), parameters=_MEETING)
    return event
