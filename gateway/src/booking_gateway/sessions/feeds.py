"""Secret addresses under which calendar apps read one's sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posted
from starlette.responses import RedirectResponse, Response

from booking_client import Refused
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Viewer

router = APIRouter()


@router.get("/calendar/feeds")
async def list_feeds(request: Request, _: Viewer, calls: Calls) -> Response:
    """The viewer's addresses."""
    return await _shown(request, calls, Form())


@router.post("/calendar/feeds")
async def make_feed(request: Request, _: Viewer, calls: Calls, key: Annotated[str, Posted(max_length=255)]) -> Response:
    """One more."""
    try:
        await calls.do.create_calendar_feed(idempotency_key=key)
    except Refused as refusal:
        return await _shown(request, calls, refused({}, refusal), refusal.status)
    return RedirectResponse("/calendar/feeds", 303)


@router.post("/calendar/feeds/{feed_id}/revoke")
async def revoke_feed(_: Viewer, calls: Calls, feed_id: UUID) -> Response:
    """Take an address away; who has it reads nothing more."""
    await calls.do.revoke_calendar_feed(feed_id)
    return RedirectResponse("/calendar/feeds", 303)


async def _shown(request: Request, calls: Calls, form: Form, status: int = 200) -> Response:
    found = await calls.read(lambda call: call.list_calendar_feeds().first())
    return page(request, "feeds.html", feeds=found.body["items"], form=form, status=status)
