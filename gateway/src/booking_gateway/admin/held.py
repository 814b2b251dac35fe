"""Records that a service could not take and holds: what they say, applied again or given up."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, Unanswered, Unexpected, operator_models
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin
from booking_gateway.words.translations import mark as _

router = APIRouter()
Service = Literal["checkout", "consultation", "notifier", "calendar"]
SERVICES: tuple[Service, ...] = get_args(Service)
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Held:
    """What one service holds; `records` is None where it does not answer."""

    service: Service
    records: list[operator_models.HeldRecord] | None
    cursor: str | None = None


@router.get("/admin/operations/held")
async def list_held(
    request: Request, _: Admin, calls: Calls, service: Service | None = None, cursor: str | None = None
) -> Response:
    """What each service holds now, or one of them, the newest first."""
    asked: tuple[Service, ...] = (service,) if service else SERVICES
    found = await asyncio.gather(*(_held_by(calls, one, cursor if service else None) for one in asked))
    return page(request, "admin_held.html", held=found)


async def _held_by(calls: Calls, service: Service, cursor: str | None) -> Held:
    try:
        found = (await calls.look.list_held_records(service, cursor=cursor, limit=_PAGE).first()).body
    except (Unanswered, Unexpected):
        return Held(service, None)
    except Refused as refusal:
        if refusal.status != 503:
            raise
        return Held(service, None)
    return Held(service, found["items"], found.get("next_cursor"))


@router.get("/admin/operations/held/{service}/{held_id}")
async def read_held(request: Request, service: Service, held_id: UUID, _: Admin, calls: Calls) -> Response:
    """One record with what it says, also after it was settled."""
    return await _shown(request, service, held_id, calls, Form())


@router.post("/admin/operations/held/{service}/{held_id}/replay")
async def replay(
    request: Request, service: Service, held_id: UUID, _: Admin, calls: Calls, form: Annotated[Posted, Posting()]
) -> Response:
    """Apply its key's records in their order. What is in the way is named."""
    try:
        await calls.operate.replay_held_record(service, held_id, idempotency_key=form.key)
    except Refused as refusal:
        return await _again(request, service, held_id, calls, refusal)
    return RedirectResponse(f"/admin/operations/held/{service}/{held_id}", 303)


class DiscardForm(Posted):
    """`sure` once somebody has said that they know what it does."""

    sure: Text = ""


@router.post("/admin/operations/held/{service}/{held_id}/discard")
async def discard(
    request: Request, service: Service, held_id: UUID, _: Admin, calls: Calls, form: Annotated[DiscardForm, Posting()]
) -> Response:
    """Give it up, for ever."""
    if not form.sure:
        unsure = Form(wrong={"sure": SURE}, message=SURE)
        return await _shown(request, service, held_id, calls, unsure, status=422)
    try:
        await calls.operate.discard_held_record(service, held_id, idempotency_key=form.key)
    except Refused as refusal:
        return await _again(request, service, held_id, calls, refusal)
    return RedirectResponse(f"/admin/operations/held/{service}/{held_id}", 303)


SURE = _("Please say that you know what this does: tick the box.")


async def _again(request: Request, service: Service, held_id: UUID, calls: Calls, refusal: Refused[Any]) -> Response:
    """The page after a refusal; what is in the way is another record, or this one itself."""
    blocking = refusal.problem.get("blocking")
    other = blocking if blocking != str(held_id) else None
    return await _shown(request, service, held_id, calls, refused({}, refusal), blocking=other, status=refusal.status)


async def _shown(
    request: Request,
    service: Service,
    held_id: UUID,
    calls: Calls,
    form: Form,
    *,
    blocking: str | None = None,
    status: int = 200,
) -> Response:
    answer = await calls.look.get_held_record(service, held_id)
    return page(
        request,
        "admin_held_record.html",
        service=service,
        record=answer.body,
        form=form,
        blocking=blocking,
        status=status,
    )
