"""The calendar: a month as a grid and as an agenda, in the viewer's zone, and who waits for a time in it.

Without JavaScript that is the page. With it EventCalendar draws the same events, and asks for this page again, for
another month or after a change: one call of each service, whatever is looked at.
"""

import asyncio
import calendar as weeks
import re
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from booking_contracts.zones import Zone
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.page import page
from booking_gateway.sessions.drawn import drawn
from booking_gateway.signin.session import Session
from booking_gateway.signin.viewer import Viewer
from booking_gateway.words.words import Words, words_of

router = APIRouter()
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_MOST = 2000


@router.get("/calendar")
async def read_calendar(request: Request, viewer: Viewer, calls: Calls, month: str = "") -> Response:
    """A month of sessions, this one if none is named."""
    words = words_of(request)
    today = datetime.now(words.zone).date()
    named = _MONTH.fullmatch(month)
    first = date(int(named[1]), int(named[2]), 1) if named else today.replace(day=1)
    days = [day for week in weeks.Calendar().monthdatescalendar(first.year, first.month) for day in week]
    start, end = _midnight(days[0], words.zone), _midnight(days[-1] + timedelta(days=1), words.zone)
    found, waiting = await asyncio.gather(
        calls.read(
            lambda call: call.list_calendar_events(start=start.isoformat(), end=end.isoformat(), limit=_MOST).first()
        ),
        _waiting(viewer, calls),
    )
    events: list[Any] = [one for one in found.body["items"] if one["start"]]
    by_day: dict[date, list[Any]] = defaultdict(list)
    for event in events:
        by_day[datetime.fromisoformat(event["start"]).astimezone(words.zone).date()].append(event)
    return page(
        request,
        "calendar.html",
        first=first,
        today=today,
        grid=[days[n : n + 7] for n in range(0, len(days), 7)],
        by_day=by_day,
        before=(first - timedelta(days=1)).strftime("%Y-%m"),
        after=(first + timedelta(days=31)).strftime("%Y-%m"),
        waiting=waiting,
        events=[drawn(one, viewer, words) for one in events],
        said=_said(words, today),
    )


async def _waiting(viewer: Session, calls: Calls) -> list[Any] | None:
    if "practitioner" not in viewer.roles:
        return None
    found = await calls.read(
        lambda call: call.list_sessions(status=["pending_negotiation"], practitioner_id=viewer.sub, limit=200).first()
    )
    return list(found.body["items"])


def _said(words: Words, today: date) -> dict[str, Any]:
    """What the script says and sets: texts, the language, the zone's offset of now."""
    text = words.text
    return {
        "locale": {"en": "en-GB", "id": "id-ID"}[words.locale],
        "today": today.isoformat(),
        "offset": words.offset(),
        "buttons": {
            "today": text("Today"), "dayGridMonth": text("Month"), "timeGridWeek": text("Week"),
            "listMonth": text("Agenda"), "prev": text("Back"), "next": text("Forward"), "close": text("Close"),
        },
        "none": text("No sessions this month."),
        "more": text("{count} more"),
        "taken": text("Taken by {name}: {times}"),
        "moved": text("It is put back where it was."),
        "unknown": text("There was no answer, so it may have been saved or not. Below is how it is now."),
        "set": text("The time was set."),
    }  # fmt: skip


def _midnight(day: date, zone: Zone) -> datetime:
    return datetime.combine(day, time(), zone)
