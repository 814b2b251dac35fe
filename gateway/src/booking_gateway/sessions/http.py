"""The routes of sessions."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_client.problems import Overlap, StaleVersion
from booking_contracts.zones import Zone
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.sessions.file import IN_CALENDARS, file_of
from booking_gateway.sessions.schedule import ScheduleForm
from booking_gateway.sessions.shown import shown
from booking_gateway.signin.viewer import Practitioner, Viewer
from booking_gateway.words.words import words_of

router = APIRouter()
OPEN = ("pending_negotiation", "scheduled", "on_progress")
PAST = ("completed", "canceled", "failed")


@router.get("/sessions")
async def list_sessions(
    request: Request, _: Viewer, calls: Calls, past: bool = False, cursor: str | None = None
) -> Response:
    """The viewer's own sessions: those that are open, or those that are over."""
    chosen = PAST if past else OPEN
    found = await calls.read(lambda call: call.list_sessions(status=chosen, cursor=cursor, limit=20).first())
    return page(request, "sessions.html", sessions=found.body["items"], cursor=found.body.get("next_cursor"), past=past)


@router.get("/waiting")
async def list_waiting(request: Request, viewer: Practitioner, calls: Calls) -> Response:
    """Who waits for the practitioner's answer, the one with the least time left first."""
    found = await calls.read(
        lambda call: call.list_sessions(status=["pending_negotiation"], practitioner_id=viewer.sub, limit=200).first()
    )
    return page(request, "waiting.html", sessions=found.body["items"])


class Given(BaseModel):
    """What the schedule's form begins with."""

    scheduled_date: Text = ""
    time_start: Text = ""
    time_end: Text = ""
    timezone: Text = ""


@router.get("/sessions/{session_id}")
async def read_session(
    request: Request, session_id: UUID, viewer: Viewer, calls: Calls, given: Annotated[Given, Query()]
) -> Response:
    """One session; its schedule's form has what the address gives it, as a drop in the calendar does."""
    return await shown(request, session_id, viewer, calls, given=given.model_dump(exclude_defaults=True))


@router.get("/sessions/{session_id}/session.ics")
async def read_file(request: Request, session_id: UUID, _: Viewer, calls: Calls) -> Response:
    """Its time as a file for a calendar app; the page again where there is none to come."""
    session = (await calls.read(lambda call: call.get_session(session_id))).body
    if session["status"] not in IN_CALENDARS:
        return RedirectResponse(f"/sessions/{session_id}", 303)
    address = f"{request.app.state.settings.public_url}/sessions/{session_id}"
    content = await asyncio.to_thread(file_of, session, address)
    headers = {"Content-Disposition": 'attachment; filename="session.ics"'}
    return Response(content, media_type="text/calendar", headers=headers)


@router.post("/sessions/{session_id}/schedule")
async def schedule(
    request: Request, session_id: UUID, viewer: Practitioner, calls: Calls, form: Annotated[ScheduleForm, Form()]
) -> Response:
    """Set the schedule, or move it if there is one. Who saw an older one sees how it is now, with what they typed."""
    try:
        if form.version:
            await calls.do.reschedule_session(session_id, form.body(), if_match=form.version, idempotency_key=form.key)
        else:
            await calls.do.schedule_session(session_id, form.body(), idempotency_key=form.key)
    except Refused as refusal:
        conflicts: list[Any] = list(refusal.problem["conflicts"]) if isinstance(refusal, Overlap) else []
        version = "" if isinstance(refusal, StaleVersion) else form.version
        forms = {"schedule": refused(form.typed(), refusal)}
        return await shown(
            request, session_id, viewer, calls, forms, conflicts=conflicts, version=version, status=refusal.status
        )
    return RedirectResponse(f"/sessions/{session_id}", 303)


@router.post("/sessions/{session_id}/start")
async def start(
    request: Request, session_id: UUID, viewer: Practitioner, calls: Calls, form: Annotated[Posted, Form()]
) -> Response:
    """Begin the meeting."""
    try:
        await calls.do.start_session(session_id, idempotency_key=form.key)
    except Refused as refusal:
        return await shown(request, session_id, viewer, calls, said=refused({}, refusal), status=refusal.status)
    return RedirectResponse(f"/sessions/{session_id}", 303)


class ResultForm(Posted):
    """A link, notes, or both; and when they parted, in the viewer's zone, or nothing (S8)."""

    result_link: Text = ""
    result_notes: Text = ""
    ended_at: Text = ""

    def body(self, local: Zone) -> models.SessionResult:
        """What the service is sent. A time that means nothing goes as it was typed: the service says what is wrong."""
        body: models.SessionResult = {
            "result_link": self.result_link or None,
            "result_notes": self.result_notes or None,
        }
        if self.ended_at:
            try:
                ended = datetime.fromisoformat(self.ended_at).replace(tzinfo=local).astimezone(UTC).isoformat()
            except (ValueError, OverflowError):
                ended = self.ended_at
            body["ended_at"] = ended
        return body


@router.post("/sessions/{session_id}/result")
async def upload_result(
    request: Request, session_id: UUID, viewer: Practitioner, calls: Calls, form: Annotated[ResultForm, Form()]
) -> Response:
    """Complete the session with its result, or replace it."""
    body = form.body(words_of(request).zone)
    try:
        await calls.do.upload_session_result(session_id, body, idempotency_key=form.key)
    except Refused as refusal:
        forms = {"result": refused(form.typed(), refusal)}
        return await shown(request, session_id, viewer, calls, forms, status=refusal.status)
    return RedirectResponse(f"/sessions/{session_id}", 303)


class CancelForm(Posted):
    """A reason's code, and the reason in words."""

    reason_code: Text = ""
    reason: Text = ""


@router.post("/sessions/{session_id}/cancel")
async def cancel(
    request: Request, session_id: UUID, viewer: Viewer, calls: Calls, form: Annotated[CancelForm, Form()]
) -> Response:
    """Cancel, with a reason."""
    body = cast("models.SessionCancellation", form.typed())
    try:
        await calls.do.cancel_session(session_id, body, idempotency_key=form.key)
    except Refused as refusal:
        forms = {"cancel": refused(form.typed(), refusal)}
        return await shown(request, session_id, viewer, calls, forms, status=refusal.status)
    return RedirectResponse(f"/sessions/{session_id}", 303)
