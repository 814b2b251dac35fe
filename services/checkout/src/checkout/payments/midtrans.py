"""`midtrans`: Snap's payment page, status and refund, and its notifications.

A notification's signature covers `order_id`, `status_code` and `gross_amount` only, not what happened. Yet
`status_code` says whether money moved (200): a status that moves money without it is forged or broken, and refused like
a bad signature.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from booking_contracts.money import DECIMALS, Money
from checkout.payments.http import Caller, Reply
from checkout.payments.provider import (
    BadSignatureError,
    Notification,
    Order,
    ProviderDownError,
    ProviderRefusedError,
    RefundOrder,
)
from checkout.payments.wire import json_object, money, text
from checkout.transaction.commands import PaymentStatus

STATUSES: Mapping[str, PaymentStatus] = {
    "pending": "pending",
    "authorize": "pending",
    "deny": "failed",
    "cancel": "failed",
    "expire": "failed",
    "failure": "failed",
    "capture": "paid",
    "settlement": "paid",
    "refund": "refunded",
    "partial_refund": "refunded",
    "chargeback": "refunded",
    "partial_chargeback": "refunded",
}
MOVES_MONEY = ("paid", "refunded")
MOST_URL = 2_048
FINAL = {"400", "404", "406", "410", "411", "412", "413", "414", "418"}  # refund answers that no repeat will change


class Midtrans:
    """The `midtrans` provider. `server_keys`: the first one calls, all verify, so that a key can be replaced (T22)."""

    name = "midtrans"
    remote = True

    def __init__(
        self, *, api_url: str, snap_url: str, server_keys: tuple[str, ...], caller: Caller | None = None
    ) -> None:
        self._api = api_url.rstrip("/")
        self._snap = snap_url.rstrip("/")
        self._keys = server_keys
        self._caller = caller or Caller(username=server_keys[0])

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:  # noqa: ARG002 - the port's
        """Raise `BadSignatureError` unless `signature_key` fits the values as sent, character by character."""
        said = json_object(body)
        signed = [said.get(name) for name in ("order_id", "status_code", "gross_amount")]
        given = said.get("signature_key")
        if not isinstance(given, str) or not all(isinstance(value, str) for value in signed):
            raise BadSignatureError(self.name)
        plain = "".join(str(value) for value in signed)
        proof = given.lower().encode("utf-8", "replace")
        fits = [hmac.compare_digest(proof, _sha512(plain + key)) for key in self._keys]
        if not any(fits):
            raise BadSignatureError(self.name)
        if _status(said) in MOVES_MONEY and said.get("status_code") != "200":
            raise BadSignatureError(f"{self.name}: the unsigned status contradicts the signed code")

    def parse(self, body: bytes) -> Notification:
        """Return what it says; see `Provider.parse`."""
        return _notification(json_object(body), body)

    async def create_session(self, order: Order) -> str:
        """Ask Snap for a payment page."""
        minutes = max(1, int((order.expires_at - datetime.now(UTC)).total_seconds() // 60))
        reply = await self._caller.call(
            "POST",
            f"{self._snap}/snap/v1/transactions",
            json={
                "transaction_details": {"order_id": order.reference, "gross_amount": _amount(order.price)},
                "expiry": {"unit": "minutes", "duration": minutes},
                "credit_card": {"secure": True},
            },
        )
        if reply.status not in (200, 201):
            raise ProviderRefusedError(str(reply.status))
        return self._page(reply.said.get("redirect_url"))

    def _page(self, url: object) -> str:
        """The member is sent there: nowhere but to Snap's own origin, whatever the reply says."""
        if isinstance(url, str) and len(url) <= MOST_URL and url.isascii() and url.isprintable() and "\\" not in url:
            page, snap = urlsplit(url), urlsplit(self._snap)
            if (page.scheme, page.netloc) == (snap.scheme, snap.netloc):
                return url
        raise ProviderDownError("the reply has no page of Snap's")

    async def status(self, reference: str) -> tuple[Notification, bytes] | None:
        """Ask what became of this reference."""
        reply = await self._caller.call("GET", f"{self._api}/v2/{quote(reference, safe='')}/status")
        code = _code(reply)
        if code == "404":
            return None
        if reply.status >= 400 or not code.startswith("2") or text(reply.said.get("order_id")) != reference:
            raise ProviderDownError(f"status {code}")
        return _notification(reply.said, reply.body), reply.body

    async def refund(self, order: RefundOrder) -> str | None:
        """Refund; `refund_key` is our refund's id, so Midtrans refunds it once however often it is asked."""
        reply = await self._caller.call(
            "POST",
            f"{self._api}/v2/{quote(order.reference, safe='')}/refund",
            json={"refund_key": str(order.id), "amount": _amount(order.amount), "reason": "requested by merchant"},
        )
        code = _code(reply)
        if code.startswith("2"):
            return text(reply.said.get("refund_key")) or None
        if await self._is_refunded(order):
            return str(order.id)
        if code in FINAL:
            raise ProviderRefusedError(code)
        raise ProviderDownError(f"status {code}")

    async def _is_refunded(self, order: RefundOrder) -> bool:
        """A no may follow a yes that we never heard: ask before it counts."""
        reply = await self._caller.call("GET", f"{self._api}/v2/{quote(order.reference, safe='')}/status")
        refunds = reply.said.get("refunds")
        keys = (
            [text(one.get("refund_key")) for one in refunds if isinstance(one, dict)]
            if isinstance(refunds, list)
            else []
        )
        return str(order.id) in keys

    async def close(self) -> None:
        """Close idle connections."""
        await self._caller.close()


def _notification(said: Mapping[str, Any], body: bytes) -> Notification:
    currency = said.get("currency", "IDR")
    amount, exact = money(said.get("gross_amount"), currency)
    status = _status(said)
    returned, _ = money(said.get("refund_amount"), currency) if status == "refunded" else (None, True)
    return Notification(
        provider=Midtrans.name,
        notification_id=hashlib.sha256(body).hexdigest(),  # Midtrans numbers payments, not notifications
        payment_id=text(said.get("transaction_id")) or text(said.get("order_id")),
        reference=text(said.get("order_id")),
        status=status,
        amount=amount,
        exact=exact,
        returned=returned,
        provider_refund_id=_refund_id(said),
    )


def _status(said: Mapping[str, Any]) -> PaymentStatus | None:
    status = STATUSES.get(text(said.get("transaction_status")))
    # A captured card that fraud detection doubts is no money yet: Midtrans tells again when it is decided.
    if status == "paid" and text(said.get("fraud_status")) == "challenge":
        return "pending"
    if status == "paid" and text(said.get("fraud_status")) == "deny":
        return "failed"
    return status


def _refund_id(said: Mapping[str, Any]) -> str | None:
    refunds = said.get("refunds")
    last = refunds[-1] if isinstance(refunds, list) and refunds else None
    return (text(last.get("refund_key")) or None) if isinstance(last, dict) else None


def _code(reply: Reply) -> str:
    """Midtrans puts its own status into the body and often answers 200 around it."""
    return text(reply.said.get("status_code")) or str(reply.status)


def _amount(value: Money) -> int | float:
    digits = DECIMALS.get(value.currency, 0)
    return value.amount if digits == 0 else value.amount / 10**digits


def _sha512(plain: str) -> bytes:
    return hashlib.sha512(plain.encode("utf-8", "replace")).hexdigest().encode()
