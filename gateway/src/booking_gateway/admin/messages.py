"""Each mail and WhatsApp message and what became of it; one is sent again. Where webhooks go, and whether they do."""

import asyncio
from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin

router = APIRouter()
_UNRESOLVED: tuple[models.NotificationStatus, ...] = ("failed", "ambiguous")
_STATUSES = (*_UNRESOLVED, *(one for one in get_args(models.NotificationStatus) if one not in _UNRESOLVED))
_CHANNELS: tuple[models.NotificationChannel, ...] = get_args(models.NotificationChannel)
ON_ITS_WAY = ("pending", "sending")


@router.get("/admin/messages")
async def list_messages(
    request: Request, _: Admin, calls: Calls, status: str = "failed", channel: str = "", cursor: str | None = None
) -> Response:
    """Those that failed unless another status is named, or `all`; the newest first."""
    chosen: models.NotificationStatus | None = next((one for one in _STATUSES if one == status), None)
    by: models.NotificationChannel | None = next((one for one in _CHANNELS if one == channel), None)
    found, endpoints = await asyncio.gather(
        calls.read(lambda call: call.list_notifications(status=chosen, channel=by, cursor=cursor, limit=20).first()),
        calls.read(lambda call: call.list_webhook_endpoints(limit=200).first()),
    )
    return page(
        request,
        "admin_messages.html",
        messages=[(one, Form()) for one in found.body["items"]],
        endpoints=endpoints.body["items"],
        statuses=_STATUSES,
        channels=_CHANNELS,
        chosen=chosen or "all",
        channel=by or "",
        cursor=found.body.get("next_cursor"),
        on_its_way=ON_ITS_WAY,
    )


@router.get("/admin/messages/{message_id}")
async def read_message(request: Request, message_id: UUID, _: Admin, calls: Calls) -> Response:
    """One message."""
    return await _shown(request, message_id, calls, Form())


@router.post("/admin/messages/{message_id}/resend")
async def resend(
    request: Request, message_id: UUID, _: Admin, calls: Calls, form: Annotated[Posted, Posting()]
) -> Response:
    """Send it again, whatever became of it."""
    try:
        await calls.do.resend_notification(message_id, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, message_id, calls, refused({}, refusal), status=refusal.status)
    return RedirectResponse(f"/admin/messages/{message_id}", 303)


async def _shown(request: Request, message_id: UUID, calls: Calls, form: Form, status: int = 200) -> Response:
    answer = await calls.read(lambda call: call.get_notification(message_id))
    return page(request, "admin_message.html", message=answer.body, form=form, on_its_way=ON_ITS_WAY, status=status)
