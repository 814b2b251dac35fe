"""What the calendar's script asks of a session: is this schedule good so far, and may it be moved there. JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import JSONResponse, Response

from booking_client import Refused
from booking_client.problems import Overlap, StaleVersion, WrongStatus
from booking_contracts.zones import zone, zone_named
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Posted, Text, refused
from booking_gateway.sessions.drawn import drawn
from booking_gateway.sessions.schedule import ScheduleForm, in_the_way, wrong_field, wrong_fields
from booking_gateway.signin.session import Session
from booking_gateway.signin.viewer import Practitioner
from booking_gateway.words.sayings import FIELDS
from booking_gateway.words.words import Words, words_of

router = APIRouter()


@router.post("/sessions/{session_id}/check")
async def check(
    request: Request, session_id: UUID, viewer: Practitioner, calls: Calls, form: Annotated[ScheduleForm, Form()]
) -> Response:
    """`wrong`: texts by the names of fields; `taken`: who has that time. Nothing is changed."""
    words, times = words_of(request), form.times()
    wrong = await wrong_fields(session_id, form, calls)
    found = await in_the_way(session_id, times, viewer, calls, words) if times and times[0] < times[1] else []
    return JSONResponse({"wrong": {name: words.text(text) for name, text in wrong.items()}, "taken": found})


class MoveForm(Posted):
    """Where a session was dragged to: local times in the viewer's zone; the rest as the page has it."""

    version: int
    start: datetime
    end: datetime
    timezone: Text
    meeting_link: Text


@router.post("/sessions/{session_id}/move")
async def move(
    request: Request, session_id: UUID, viewer: Practitioner, calls: Calls, form: Annotated[MoveForm, Form()]
) -> Response:
    """`said` and `taken` tell of it. `event` is how the session is now: moved, or as somebody else changed it."""
    words = words_of(request)
    start, end = (one.replace(tzinfo=words.zone).astimezone(UTC) for one in (form.start, form.end))
    if wrong_field(start, end, datetime.now(UTC)):
        wrong = FIELDS["invalid_time"]
        return _told(words.text(wrong), status=422)
    local = zone_named(form.timezone) or zone("UTC")
    begins, ends = start.astimezone(local), end.astimezone(local)
    try:
        answer = await calls.do.reschedule_session(
            session_id,
            {
                "scheduled_date": begins.date().isoformat(),
                "time_start": begins.strftime("%H:%M"),
                "time_end": ends.strftime("%H:%M"),
                "timezone": local.key,
                "ends_next_day": ends.date() > begins.date(),
                "fold": 1 if begins.fold else 0,
                "fold_end": 1 if ends.fold else 0,
                "meeting_link": form.meeting_link,
            },
            if_match=f'"{form.version}"',
            idempotency_key=form.key,
        )
    except Refused as refusal:
        said = words.text(refused({}, refusal).message)
        found, event = [], None
        if isinstance(refusal, Overlap):
            found = await in_the_way(session_id, (start, end), viewer, calls, words)
        elif isinstance(refusal, (StaleVersion, WrongStatus)):
            now = await calls.read(lambda call: call.get_session(session_id))
            event = _event(now.body, viewer, words)
        return _told(said, found, event, refusal.status)
    return _told(words.text("It was moved."), event=_event(answer.body, viewer, words))


def _event(session: Any, viewer: Session, words: Words) -> dict[str, Any] | None:
    if session["starts_at"] is None:
        return None
    return drawn({**session, "start": session["starts_at"], "end": session["ends_at"]}, viewer, words)


def _told(said: str, found: Sequence[str] = (), event: dict[str, Any] | None = None, status: int = 200) -> Response:
    return JSONResponse({"said": said, "taken": list(found), "event": event}, status)
