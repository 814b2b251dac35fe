"""The payment provider, Midtrans' way. `python -m booking_standins.payments`

Its interface: `POST /snap/v1/transactions`, `GET /v2/{order_id}/status`, `POST /v2/{order_id}/refund` (also
`/refund/online/direct`), `/cancel`, `/expire`. It is as strict as Midtrans: a refund needs a settled payment, a cancel
one that is not settled (else 412), an expired order says 407.
The page that Snap answers with is one for people: they pay, are refused or pay later, and go on to `callbacks.finish`.
Ours: `POST /pay/{reference}` is the customer, or the bank; the signed notification goes to checkout, again until it is
taken. Whatever is asked for happens, also what the documented cycle forbids (`"lawful"` in the answer says so).
Optional body: `{"transaction_status": "settlement", "gross_amount": "250000.00", "currency": "IDR", "notify": true,
"transaction_id": "...", "fraud_status": "accept", "payment_type": "credit_card", "refund_amount": "100000.00" (this
time; null: the notification doesn't say), "provider": "manual", "amount": 250000}`; a `partial_*` without
`refund_amount` takes half of what is left and says how much. `POST /test-notification` is the dashboard's button,
`GET /orders` shows all.
Settings: NOTIFICATION_URL (checkout's `/v1/payments`), MIDTRANS_SERVER_KEY, MANUAL_SECRET, PUBLIC_URL.
"""

import hashlib
import hmac
import html
import json
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from booking_standins.midtrans import CANCELABLE, OUT, REFUNDABLE, Order, authorised, dashboard_test
from booking_standins.serving import Behaviour, Received, answered, application, serve, setting, state_file
from booking_standins.webhooks import Webhooks

CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "settlement": ("Pay", {}),
    "pending": ("Pay later", {}),
    "deny": ("Be refused", {"payment_type": "credit_card"}),
}
"""What a customer may do on the page, and how it happens."""
CANNOT = "Merchant cannot modify the status of the transaction"


class Payments:
    """The provider's books: an order is written at each change, before anybody is told; its last line counts."""

    def __init__(self, received: Received, webhooks: Webhooks, behaviour: Behaviour) -> None:
        self._received = received
        self.orders: dict[str, Order] = {one["order_id"]: Order(**one) for one in received.items}
        received.items.clear()  # they live in `orders`
        self.behaviour = behaviour
        self._webhooks = webhooks
        self._key = setting("MIDTRANS_SERVER_KEY")
        self._manual_secret = setting("MANUAL_SECRET")
        self._notify_url = setting("NOTIFICATION_URL").rstrip("/")
        self._public_url = setting("PUBLIC_URL").rstrip("/")

    async def create_session(self, request: Request) -> Response:
        """`POST /snap/v1/transactions`: a page to pay on. An order not yet paid for may be asked for again."""
        body = await _json(request)
        details = body.get("transaction_details") or {}
        order_id, amount = str(details.get("order_id") or ""), _amount(details.get("gross_amount"))
        complaints = [] if order_id else ["transaction_details.order_id is required"]
        complaints += [] if amount else ["transaction_details.gross_amount is required"]
        finish = (body.get("callbacks") or {}).get("finish")
        complaints += [] if finish is None or _is_page(finish) else ["callbacks.finish must be a valid url"]
        invalid = None if amount and not complaints else JSONResponse({"error_messages": complaints}, 400)
        return await self._asked(
            request, order_id, lambda: self._session(order_id, amount or Decimal(0), finish), invalid
        )

    async def status(self, request: Request) -> Response:
        """`GET /v2/{order_id}/status`: 404 as long as nobody has tried to pay."""
        order_id = request.path_params["order_id"]
        return await self._asked(request, order_id, lambda: self._status(order_id))

    async def refund(self, request: Request) -> Response:
        """`POST /v2/{order_id}/refund`: the same `refund_key` again is the same refund."""
        order_id, body = request.path_params["order_id"], await _json(request)
        return await self._asked(request, order_id, lambda: self._refund(order_id, body))

    async def end(self, request: Request) -> Response:
        """`POST /v2/{order_id}/cancel` and `/expire`: 412 once it is too late for that."""
        order_id, action = request.path_params["order_id"], request.path_params["action"]
        unknown = None if action in ("cancel", "expire") else _core(404, "The requested resource is not found")
        return await self._asked(request, order_id, lambda: self._end(order_id, action), unknown)

    async def test(self, _: Request) -> Response:
        """`POST /test-notification`: as the button "Test notification URL" of Midtrans' dashboard."""
        return await self._notify(dashboard_test(self._key), send=True)

    async def pay(self, request: Request) -> Response:
        """`POST /pay/{reference}`: 404 while the provider was not asked for that order, 503 while it is down."""
        reference, wish = request.path_params["reference"], await _json(request)
        if self.behaviour.mode == "down":
            return JSONResponse({"detail": "the payment provider is down"}, 503)
        if wish.get("provider") == "manual":
            return await self._pay_by_hand(reference, wish)
        order = self.orders.get(reference)
        if order is None:
            return JSONResponse({"detail": "no session was asked for this reference yet"}, 404)
        lawful = order.may(str(wish.get("transaction_status", "settlement")))
        self._happen(order, wish)
        self._save(order)
        changes = {name: str(wish[name]) for name in ("status_code", "gross_amount") if name in wish}
        if wish.get("refund_amount", "") is None:
            changes |= {"refund_amount": None, "refunds": None}
        return await self._notify(
            order.notification(self._key, **changes), send=bool(wish.get("notify", True)), lawful=lawful
        )

    def _happen(self, order: Order, wish: dict[str, Any]) -> None:
        """The customer pays, or the bank takes back; what is paid is what the order holds from then on."""
        for name in ("transaction_id", "currency", "payment_type"):
            if wish.get(name):
                setattr(order, name, str(wish[name]))
        if _amount(wish.get("gross_amount")):
            order.gross_amount = str(wish["gross_amount"])
        status = str(wish.get("transaction_status", "settlement"))
        if status in OUT:
            part = _amount(wish.get("refund_amount"))
            if status.startswith("partial_"):
                part = part or (order.left / 2).quantize(Decimal(1))
            amount = min(part or order.left, order.left)
            order.give_back(amount, str(uuid.uuid4()), chargeback=status.endswith("chargeback"))
        order.move(status, fraud_status=str(wish.get("fraud_status", "accept")))

    async def page(self, request: Request) -> Response:
        """`GET /snap/v4/redirection/{token}`: what the customer sees."""
        order = self._of_page(request)
        return _page(order) if order else HTMLResponse("<h1>404</h1>", 404)

    async def choose(self, request: Request) -> Response:
        """`POST` of that page: it happens, checkout is told, and the customer is sent on."""
        order = self._of_page(request)
        if order is None:
            return HTMLResponse("<h1>404</h1>", 404)
        if self.behaviour.mode == "down":
            return HTMLResponse("<h1>503</h1>", 503)
        choice = parse_qs((await request.body()).decode("latin-1")).get("choice", [""])[0]
        if choice not in _choices(order):
            return _page(order, status=409)
        self._happen(order, {"transaction_status": choice, **CHOICES[choice][1]})
        self._save(order)
        await self._notify(order.notification(self._key), send=True)
        onward = order.sent_on()
        return RedirectResponse(onward, 303) if onward else _page(order)

    def _of_page(self, request: Request) -> Order | None:
        token = request.path_params["token"]
        return next((one for one in self.orders.values() if one.token == token), None)

    def _session(self, order_id: str, amount: Decimal, finish: str | None) -> Response:
        order = self.orders.get(order_id)
        if order is not None and order.status is not None:
            return JSONResponse({"error_messages": ["transaction_details.order_id has already been taken"]}, 400)
        if order is None or Decimal(order.gross_amount) != amount:
            order = self.orders[order_id] = Order(order_id, f"{amount:.2f}", finish=finish)
            self._save(order)
        url = f"{self._public_url}/snap/v4/redirection/{order.token}"
        return JSONResponse({"token": order.token, "redirect_url": url}, 201)

    def _status(self, order_id: str) -> Response:
        order = self.orders.get(order_id)
        if order is None or order.status is None:
            return _core(404, "Transaction doesn't exist.")
        return JSONResponse(order.signed(self._key, status_message="Success, transaction is found"))

    def _refund(self, order_id: str, body: dict[str, Any]) -> Response:
        order = self.orders.get(order_id)
        if order is None or order.status is None:
            return _core(404, "Transaction doesn't exist.")
        key = str(body.get("refund_key") or uuid.uuid4())
        known = next((one for one in order.refunds if one["refund_key"] == key), None)
        amount = _amount(body.get("amount")) or order.left
        if known is None:
            if order.status not in REFUNDABLE:
                return _core(412, CANNOT)
            if not 0 < amount <= order.left:
                return _core(414, "Refund request is rejected due to invalid amount")
            known = order.give_back(amount, key, str(body.get("reason", "")))
            self._save(order)
            self._post("midtrans", _bytes(order.notification(self._key)), {})
        told = {**order.describe(), **known, "status_message": "Success, refund request is approved"}
        return JSONResponse({name: value for name, value in told.items() if name != "refunds"})

    def _end(self, order_id: str, action: str) -> Response:
        order = self.orders.get(order_id)
        if order is None or order.status is None:
            return _core(404, "Transaction doesn't exist.")
        if order.status not in (CANCELABLE if action == "cancel" else ("pending", "authorize")):
            return _core(412, CANNOT)
        order.move(action)
        self._save(order)
        self._post("midtrans", _bytes(order.notification(self._key)), {})
        message = "Success, transaction is canceled" if action == "cancel" else "Success, transaction has expired"
        return JSONResponse({**order.describe(), "status_message": message})

    async def _pay_by_hand(self, reference: str, wish: dict[str, Any]) -> Response:
        order = self.orders.get(reference)
        amount = wish.get("amount", int(Decimal(order.gross_amount)) if order else None)
        if amount is None:
            return JSONResponse({"detail": "the amount is needed: the provider doesn't know this reference"}, 422)
        body = {
            "notification_id": wish.get("notification_id") or str(uuid.uuid4()),
            "transaction_id": reference,
            "status": wish.get("status", "paid"),
            "amount": amount,
            "currency": wish.get("currency", "IDR"),
        }
        if wish.get("payment_id"):
            body["payment_id"] = wish["payment_id"]
        raw = _bytes(body)
        proof = hmac.new(self._manual_secret.encode(), raw, hashlib.sha256).hexdigest()
        return await self._answer("manual", raw, {"X-Signature": proof}, body)

    async def _notify(self, body: dict[str, Any], *, send: bool, lawful: bool = True) -> Response:
        if not send:
            return JSONResponse({"notified": None, "notification": body, "lawful": lawful}, 200)
        return await self._answer("midtrans", _bytes(body), {}, body, lawful=lawful)

    async def _answer(
        self, provider: str, raw: bytes, headers: dict[str, str], body: dict[str, Any], *, lawful: bool = True
    ) -> Response:
        status = await self._webhooks.try_now(f"{self._notify_url}/{provider}/notifications", raw, headers)
        taken = status is not None and status < 300
        said = {"notified": status, "notification": body, "lawful": lawful}
        return JSONResponse(said, 200 if taken else 202)

    def _post(self, provider: str, raw: bytes, headers: dict[str, str]) -> None:
        self._webhooks.send(f"{self._notify_url}/{provider}/notifications", raw, headers, after=0.2)

    async def _asked(
        self, request: Request, whom: str, act: Callable[[], Response], refused: Response | None = None
    ) -> Response:
        """A call of the merchant's: who doesn't know the server key learns nothing else, nor does who asks wrongly."""
        if not authorised(request.headers.get("authorization"), self._key):
            message = "Access denied due to unauthorized transaction, please check client or server key"
            snap = request.url.path.startswith("/snap")
            return JSONResponse({"error_messages": [message]}, 401) if snap else _core(401, message)
        if refused is not None:
            return refused
        mode = self.behaviour.take(whom)
        if mode == "down":
            return _core(503, "Service Unavailable")
        if mode == "throttle":
            return _core(429, "Too many requests", headers={"Retry-After": "1"})
        if mode == "reject":
            return _core(self.behaviour.code or 412, CANNOT)
        return await answered(request, self.behaviour, mode, act)

    def _save(self, order: Order) -> None:
        self._received.write(order.as_json())


def _choices(order: Order) -> list[str]:
    """What the customer may do now; `deny` after a settlement is the bank's word, not theirs."""
    return [choice for choice in CHOICES if order.status in (None, "pending") and order.may(choice)]


def _is_page(address: Any) -> bool:
    parts = urlsplit(address) if isinstance(address, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _page(order: Order, status: int = 200) -> Response:
    buttons = "".join(
        f'<button name="choice" value="{choice}">{CHOICES[choice][0]}</button> ' for choice in _choices(order)
    )
    onward = order.sent_on()
    back = f'<p><a href="{html.escape(onward)}">Back to the shop</a></p>' if onward else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Payment</title>'
        f"<h1>{html.escape(order.currency)} {html.escape(order.gross_amount)}</h1>"
        f"<p>Order {html.escape(order.order_id)}: {order.status or 'unpaid'}</p>"
        f'<form method="post">{buttons}</form>{back}</html>',
        status,
    )


def _core(code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"status_code": str(code), "status_message": message, "id": str(uuid.uuid4())}
    return JSONResponse(body, code, headers=headers)


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None


def _bytes(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def build() -> ASGIApp:
    webhooks, behaviour = Webhooks(state_file("payments-notifications.jsonl")), Behaviour()
    payments = Payments(Received(state_file("payments.jsonl")), webhooks, behaviour)

    async def orders(_: Request) -> Response:
        return JSONResponse({"items": [order.as_json() for order in payments.orders.values()]})

    return application(
        [
            Route("/snap/v1/transactions", payments.create_session, methods=["POST"]),
            Route("/snap/v4/redirection/{token}", payments.page, methods=["GET"]),
            Route("/snap/v4/redirection/{token}", payments.choose, methods=["POST"]),
            Route("/v2/{order_id}/status", payments.status, methods=["GET"]),
            Route("/v2/{order_id}/refund", payments.refund, methods=["POST"]),
            Route("/v2/{order_id}/refund/online/direct", payments.refund, methods=["POST"]),
            Route("/v2/{order_id}/{action}", payments.end, methods=["POST"]),
            Route("/test-notification", payments.test, methods=["POST"]),
            Route("/pay/{reference}", payments.pay, methods=["POST"]),
            Route("/orders", orders, methods=["GET"]),
            *behaviour.routes(),
        ],
        lambda _: webhooks.delivering(),
    )


if __name__ == "__main__":
    serve(build())
