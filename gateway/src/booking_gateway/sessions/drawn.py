"""A session as the calendar in the browser draws it: its times in the viewer's zone, and what a move of it says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from booking_gateway.signin.session import Session
from booking_gateway.words.sayings import SAID
from booking_gateway.words.words import Words

HOLDING = ("scheduled", "on_progress")
"""The statuses in which a session keeps its people's time for itself (S4)."""
_LOCAL = "%Y-%m-%dT%H:%M:%S"


def drawn(one: Mapping[str, Any], viewer: Session, words: Words) -> dict[str, Any]:
    """An event of EventCalendar's, of a session that has times or of an event of the calendar's service."""
    own = viewer.sub == one["practitioner_id"]
    status = str(one["status"])
    title = other(one, viewer)
    return {
        "id": one.get("session_id") or one["id"],
        "title": title if status == "scheduled" else f"{title} · {words.text(SAID.get(status, status))}",
        "start": datetime.fromisoformat(one["start"]).astimezone(words.zone).strftime(_LOCAL),
        "end": datetime.fromisoformat(one["end"]).astimezone(words.zone).strftime(_LOCAL),
        "editable": own and status == "scheduled",
        "classNames": [f"is-{status}"],
        "extendedProps": {
            "who": title,
            "holds": status in HOLDING,
            "version": one["version"],
            "timezone": one["timezone"],
            "meeting_link": one["meeting_link"],
        },
    }


def other(one: Mapping[str, Any], viewer: Session) -> str:
    """The name of whom the viewer meets."""
    name = one["member_name"] if viewer.sub == one["practitioner_id"] else one["practitioner_name"]
    return name or "–"


def taken(one: Mapping[str, Any], viewer: Session, words: Words) -> str:
    """What is said of a session that is in the way."""
    start, end = (datetime.fromisoformat(one[name]) for name in ("start", "end"))
    times = f"{words.day(start)}, {words.time(start)}–{words.time(end)}"
    return words.text("Taken by %(name)s: %(times)s", name=other(one, viewer), times=times)
