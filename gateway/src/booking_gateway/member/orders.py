"""Orders: buying, paying at the provider's page and coming back, canceling, asking for a schedule."""

from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posted
from starlette.responses import RedirectResponse, Response

from booking_client import Refused
from booking_client.models import Transaction
from booking_client.problems import ActiveSessionExists, TransactionUsed
from booking_gateway.calls.calls import Calls
from booking_gateway.member.catalogue import offered
from booking_gateway.pages.forms import Form, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Member
from booking_gateway.words.sayings import ON_ITS_WAY

router = APIRouter()
_PATIENT = 8.0
"""Seconds for which a page waits for news of a payment, or consultation for the sale."""
_BEHIND = ("not_found", "transaction_not_paid", "not_yet_visible")
"""What consultation answers while the sale, or its payment, is still on its way to it."""
Key = Annotated[str, Posted(max_length=255)]


@router.get("/orders")
async def list_orders(request: Request, viewer: Member, calls: Calls, cursor: str | None = None) -> Response:
    """The member's orders, the newest first."""
    orders = await calls.read(lambda call: call.list_transactions(user_id=viewer.sub, cursor=cursor, limit=20).first())
    return page(request, "orders.html", orders=orders.body["items"], cursor=orders.body.get("next_cursor"))


@router.post("/orders")
async def buy(
    request: Request,
    _: Member,
    calls: Calls,
    product_id: Annotated[UUID, Posted()],
    practitioner_id: Annotated[UUID, Posted()],
    key: Key,
) -> Response:
    """Buy; the next page leads to the provider's, which sends back to `/orders/returned`."""
    back = f"{request.app.state.settings.public_url}/orders/returned"
    try:
        order = await calls.do.create_transaction(
            {"product_id": str(product_id), "practitioner_id": str(practitioner_id), "return_url": back},
            idempotency_key=key,
        )
    except Refused as refusal:
        return await offered(request, product_id, calls, refused({}, refusal), status=refusal.status)
    return RedirectResponse(f"/orders/{order.body['id']}", 303)


@router.get("/orders/returned")
async def come_back(_: Member, calls: Calls, order_id: UUID) -> Response:
    """Back from the provider's page. What stands in the address is for the eye: the Transaction is asked for."""
    await calls.read(lambda call: call.get_transaction(order_id, wait_for="paid", wait_for_seconds=_PATIENT))
    return RedirectResponse(f"/orders/{order_id}", 303)


@router.get("/orders/{order_id}")
async def read_order(request: Request, order_id: UUID, _: Member, calls: Calls) -> Response:
    """One order, with what can be done next."""
    return await _shown(request, order_id, calls, Form())


@router.post("/orders/{order_id}/cancel")
async def cancel(request: Request, order_id: UUID, _: Member, calls: Calls, key: Key) -> Response:
    """Cancel before payment."""
    try:
        await calls.do.cancel_transaction(order_id, idempotency_key=key)
    except Refused as refusal:
        return await _shown(request, order_id, calls, refused({}, refusal), status=refusal.status)
    return RedirectResponse(f"/orders/{order_id}", 303)


@router.post("/orders/{order_id}/session")
async def ask_for_a_schedule(request: Request, order_id: UUID, _: Member, calls: Calls, key: Key) -> Response:
    """Ask the practitioner for a schedule. Who asks twice gets to the session that there is."""
    try:
        made = await calls.do.request_session({"transaction_id": str(order_id)}, wait=_PATIENT, idempotency_key=key)
    except (ActiveSessionExists, TransactionUsed) as there:
        return RedirectResponse(f"/sessions/{there.problem['session_id']}", 303)
    except Refused as refusal:
        order = (await calls.read(lambda call: call.get_transaction(order_id))).body
        if refusal.code in _BEHIND and order["status"] == "paid" and not order["session"]:
            return _page(request, order, Form(message=ON_ITS_WAY))
        return _page(request, order, refused({}, refusal), status=refusal.status)
    return RedirectResponse(f"/sessions/{made.body['id']}", 303)


async def _shown(request: Request, order_id: UUID, calls: Calls, form: Form, status: int = 200) -> Response:
    order = (await calls.read(lambda call: call.get_transaction(order_id))).body
    return _page(request, order, form, status)


def _page(request: Request, order: Transaction, form: Form, status: int = 200) -> Response:
    address = order["payment"]["redirect_url"]
    payable = address if address and urlsplit(address).scheme in ("http", "https") else None
    return page(request, "order.html", order=order, payable=payable, form=form, status=status)
