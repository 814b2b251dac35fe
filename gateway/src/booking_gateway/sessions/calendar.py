"""The calendar: a month as a grid and as an agenda, in the viewer's zone; addresses for calendar apps."""

import asyncio
import calendar as weeks
import re
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posted
from starlette.responses import RedirectResponse, Response

from booking_client import Refused
from booking_contracts.zones import Zone
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Viewer
from booking_gateway.words.words import words_of

router = APIRouter()
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_MOST = 2000


@router.get("/calendar")
async def read_calendar(request: Request, _: Viewer, calls: Calls, month: str = "") -> Response:
    """A month of sessions, this one if none is named."""
    return await _shown(request, calls, month, Form())


@router.post("/calendar/feeds")
async def make_feed(request: Request, _: Viewer, calls: Calls, key: Annotated[str, Posted(max_length=255)]) -> Response:
    """A secret address for a calendar app."""
    try:
        await calls.do.create_calendar_feed(idempotency_key=key)
    except Refused as refusal:
        return await _shown(request, calls, "", refused({}, refusal), status=refusal.status)
    return RedirectResponse("/calendar#feeds", 303)


@router.post("/calendar/feeds/{feed_id}/revoke")
async def revoke_feed(_: Viewer, calls: Calls, feed_id: UUID) -> Response:
    """Take an address away; who has it reads nothing more."""
    await calls.do.revoke_calendar_feed(feed_id)
    return RedirectResponse("/calendar#feeds", 303)


async def _shown(request: Request, calls: Calls, month: str, form: Form, status: int = 200) -> Response:
    words = words_of(request)
    today = datetime.now(words.zone).date()
    named = _MONTH.fullmatch(month)
    first = date(int(named[1]), int(named[2]), 1) if named else today.replace(day=1)
    days = [day for week in weeks.Calendar().monthdatescalendar(first.year, first.month) for day in week]
    start, end = _midnight(days[0], words.zone), _midnight(days[-1] + timedelta(days=1), words.zone)
    events, feeds = await asyncio.gather(
        calls.read(
            lambda call: call.list_calendar_events(start=start.isoformat(), end=end.isoformat(), limit=_MOST).first()
        ),
        calls.read(lambda call: call.list_calendar_feeds().first()),
    )
    by_day: dict[date, list[Any]] = defaultdict(list)
    for event in events.body["items"]:
        if event["start"]:
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
        feeds=feeds.body["items"],
        form=form,
        status=status,
    )


def _midnight(day: date, zone: Zone) -> datetime:
    return datetime.combine(day, time(), zone)
