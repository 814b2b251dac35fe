"""A session as a file for a calendar app, RFC 5545.

Its UID and SEQUENCE are those of the feed and of the invitation by mail: whatever comes first, it is one appointment.
"""

from datetime import UTC, datetime
from typing import Any

IN_CALENDARS = ("scheduled", "on_progress")
"""The statuses in which there is a time to come to."""


def file_of(session: Any, address: str) -> bytes:
    """The file of a session with a time; `address` is its page. Slow the first time: not for the event loop."""
    import icalendar  # noqa: PLC0415 a fifth of a second that no start should wait for

    event = icalendar.Event()
    event.add("uid", f"session-{session['id']}@booking")
    event.add("sequence", session["schedule_version"])
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", datetime.fromisoformat(session["starts_at"]).astimezone(UTC))
    event.add("dtend", datetime.fromisoformat(session["ends_at"]).astimezone(UTC))
    names = (session["product_name"], session["practitioner_name"], session["member_name"])
    event.add("summary", " · ".join(name for name in names if name) or session["kind"])
    event.add("url", icalendar.vUri(address))
    if session["meeting_link"]:
        event.add("location", session["meeting_link"])
    event.add("status", "CONFIRMED")
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//booking//gateway//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return calendar.to_ical()
