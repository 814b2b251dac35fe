"""Everybody's orders with their story: canceling before payment, refunding after it, another practitioner."""

import asyncio
from typing import Annotated, get_args
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
_STATUSES: tuple[models.TransactionStatus, ...] = get_args(models.TransactionStatus)
_STORY = 200


class ReasonForm(Posted):
    """A reason, and for a reassignment whose it becomes."""

    reason: Text = ""
    practitioner_id: Text = ""


Reason = Annotated[ReasonForm, Posting()]


@router.get("/admin")
async def read_admin(_: Admin) -> Response:
    """Where an administrator begins."""
    return RedirectResponse("/admin/orders", 303)


@router.get("/admin/orders")
async def list_orders(
    request: Request, _: Admin, calls: Calls, status: str = "", cursor: str | None = None
) -> Response:
    """All orders, the newest first, by status if one is named."""
    chosen: models.TransactionStatus | None = next((one for one in _STATUSES if one == status), None)
    found = await calls.read(lambda call: call.list_transactions(status=chosen, cursor=cursor, limit=50).first())
    cursor = found.body.get("next_cursor")
    return page(
        request, "admin_orders.html", orders=found.body["items"], statuses=_STATUSES, chosen=chosen, cursor=cursor
    )


@router.get("/admin/orders/{order_id}")
async def read_order(request: Request, order_id: UUID, _: Admin, calls: Calls) -> Response:
    """One order with its story."""
    return await _shown(request, order_id, calls, Form())


@router.post("/admin/orders/{order_id}/cancel")
async def cancel(request: Request, order_id: UUID, _: Admin, calls: Calls, form: Reason) -> Response:
    """Before payment."""
    try:
        await calls.do.cancel_transaction(order_id, {"reason": form.reason or None}, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, order_id, calls, refused(form.typed(), refusal), status=refusal.status)
    return RedirectResponse(f"/admin/orders/{order_id}", 303)


@router.post("/admin/orders/{order_id}/refund")
async def refund(request: Request, order_id: UUID, _: Admin, calls: Calls, form: Reason) -> Response:
    """After payment: the right to a session ends."""
    try:
        await calls.do.refund_transaction(order_id, {"reason": form.reason}, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, order_id, calls, refused(form.typed(), refusal), status=refusal.status)
    return RedirectResponse(f"/admin/orders/{order_id}", 303)


@router.post("/admin/orders/{order_id}/practitioner")
async def reassign(request: Request, order_id: UUID, _: Admin, calls: Calls, form: Reason) -> Response:
    """To another practitioner of the product's tier."""
    body: models.Reassignment = {"practitioner_id": form.practitioner_id, "reason": form.reason}
    try:
        await calls.do.reassign_transaction(order_id, body, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, order_id, calls, refused(form.typed(), refusal), status=refusal.status)
    return RedirectResponse(f"/admin/orders/{order_id}", 303)


async def _shown(request: Request, order_id: UUID, calls: Calls, form: Form, status: int = 200) -> Response:
    answer, story = await asyncio.gather(
        calls.read(lambda call: call.get_transaction(order_id)),
        calls.read(lambda call: call.list_transaction_history(order_id, limit=_STORY).first()),
    )
    order, tier = answer.body, answer.body["product"]["tier"]
    others = await calls.read(lambda call: call.list_practitioner_directory(tier=tier, active=True, limit=200).first())
    return page(
        request,
        "admin_order.html",
        order=order,
        story=story.body["items"],
        may=set(order["allowed_commands"]),
        choices=[(one["id"], one["name"]) for one in others.body["items"] if one["id"] != order["practitioner_id"]],
        form=form,
        status=status,
    )
