"""Money that fits nothing, or left: what happened, and an administrator's word on it."""

from typing import Annotated, cast, get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin

router = APIRouter()
_STATUSES: tuple[models.ReviewStatus, ...] = get_args(models.ReviewStatus)


@router.get("/admin/reviews")
async def list_reviews(
    request: Request, _: Admin, calls: Calls, status: str = "open", cursor: str | None = None
) -> Response:
    """Those that wait, or those that are settled, the newest first."""
    return await _shown(request, calls, status, cursor)


class SettlementForm(Posted):
    """`version` is that of the review as the page showed it."""

    version: Text
    outcome: Text = ""
    reason: Text = ""


@router.post("/admin/reviews/{review_id}")
async def settle(
    request: Request, review_id: UUID, _: Admin, calls: Calls, form: Annotated[SettlementForm, Posting()]
) -> Response:
    """Give the money back, or let it be, with a reason."""
    body = cast("models.ReviewSettlement", form.typed())
    try:
        await calls.do.settle_payment_review(review_id, body, if_match=f'"{form.version}"', idempotency_key=form.key)
    except Refused as refusal:
        again = {str(review_id): refused(form.typed(), refusal)}
        return await _shown(request, calls, "open", None, again, status_code=refusal.status)
    return RedirectResponse("/admin/reviews", 303)


async def _shown(
    request: Request,
    calls: Calls,
    status: str,
    cursor: str | None,
    forms: dict[str, Form] | None = None,
    *,
    status_code: int = 200,
) -> Response:
    chosen: models.ReviewStatus = "settled" if status == "settled" else "open"
    found = await calls.read(lambda call: call.list_payment_reviews(status=chosen, cursor=cursor, limit=20).first())
    reviews, again = found.body["items"], forms or {}
    return page(
        request,
        "admin_reviews.html",
        reviews=[(one, again.get(one["id"]) or Form()) for one in reviews],
        gone=[form for id_, form in again.items() if id_ not in {one["id"] for one in reviews}],
        statuses=_STATUSES,
        chosen=chosen,
        cursor=found.body.get("next_cursor"),
        status=status_code,
    )
