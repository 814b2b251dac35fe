"""The calendar's rows: how far behind they are, and building them anew beside those that are shown."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin

router = APIRouter()
_HERE = "/admin/operations/projections"


@router.get(_HERE)
async def list_projections(request: Request, _: Admin, calls: Calls) -> Response:
    """Each with its position, and how far a rebuild is."""
    return await _shown(request, calls, Form())


class RebuildForm(Posted):
    """Of which projection; `back` to show the generation before again."""

    name: Text
    back: Text = ""


@router.post(f"{_HERE}/rebuild")
async def rebuild(request: Request, _: Admin, calls: Calls, form: Annotated[RebuildForm, Posting()]) -> Response:
    """Begin it; the rows that are shown stay until the new ones have caught up."""
    try:
        await calls.operate.rebuild_projection(form.name, back=bool(form.back), idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, calls, refused({}, refusal), status=refusal.status)
    return RedirectResponse(_HERE, 303)


@router.post(f"{_HERE}/abandon")
async def abandon(request: Request, _: Admin, calls: Calls, form: Annotated[RebuildForm, Posting()]) -> Response:
    """Give the rebuild up."""
    try:
        await calls.operate.abandon_projection_rebuild(form.name, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, calls, refused({}, refusal), status=refusal.status)
    return RedirectResponse(_HERE, 303)


async def _shown(request: Request, calls: Calls, form: Form, status: int = 200) -> Response:
    found = await calls.look.list_projections(limit=200).first()
    return page(request, "admin_projections.html", projections=found.body["items"], form=form, status=status)
