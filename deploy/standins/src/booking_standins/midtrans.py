"""What Midtrans knows of one order, and how it says so: the status body, which is the notification's body as well.

Times are naive and Indonesian (WIB), amounts are strings with two decimals, the proof is
hex SHA512(order_id + status_code + gross_amount + server key). From its documentation: "Transaction status cycle",
"Cancel transaction", "Expire transaction", "Refund transaction", "Direct refund transaction".
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from booking_contracts.zones import zone

STATUS_CODES = {
    "pending": "201",
    "authorize": "200",
    "capture": "200",
    "settlement": "200",
    "deny": "202",
    "cancel": "200",
    "expire": "407",
    "failure": "202",
    "refund": "200",
    "partial_refund": "200",
    "chargeback": "200",
    "partial_chargeback": "200",
}
NOTIFIED_CODES = {"cancel": "202", "expire": "202"}
"""Codes of notifications, where they differ from those of answers."""
DOUBTED = {"challenge": "201", "deny": "202"}  # of a card that fraud detection doubts
BEGUN = ("capture", "deny", "cancel", "expire")
OUT = ("refund", "partial_refund", "chargeback", "partial_chargeback")
NEXT: Mapping[str | None, tuple[str, ...]] = {
    None: ("pending", "authorize", "capture", "settlement", "deny", "failure"),
    "pending": (*BEGUN, "authorize", "settlement", "failure"),
    "authorize": BEGUN,
    "capture": ("settlement", "cancel"),
    "settlement": (*OUT, "deny"),
    "partial_refund": OUT,
    "partial_chargeback": OUT,
}
"""What may follow what; the rest is the end."""
PAID = ("settlement", "capture")
REFUNDABLE = ("settlement", "partial_refund", "partial_chargeback")
CANCELABLE = ("pending", "authorize", "capture")


@dataclass
class Order:
    """One order: asked for by Snap, then maybe attempted, paid, and given back whole or in parts."""

    order_id: str
    gross_amount: str
    currency: str = "IDR"
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    transaction_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str | None = None
    fraud_status: str = "accept"
    payment_type: str = "bank_transfer"
    transaction_time: str = ""
    settlement_time: str | None = None
    refunds: list[dict[str, Any]] = field(default_factory=list)
    finish: str | None = None
    """Where the customer goes after paying, of the request's `callbacks`."""

    def may(self, status: str) -> bool:
        """Whether the documented cycle lets this come next."""
        return status in NEXT.get(self.status, ())

    def move(self, status: str, *, fraud_status: str = "accept") -> None:
        self.status = status
        self.fraud_status = fraud_status
        self.transaction_time = self.transaction_time or wib_now()
        if status == "settlement":
            self.settlement_time = self.settlement_time or wib_now()

    @property
    def left(self) -> Decimal:
        """What was paid and not given back."""
        return Decimal(self.gross_amount) - sum((Decimal(one["refund_amount"]) for one in self.refunds), Decimal(0))

    def give_back(self, amount: Decimal, key: str, reason: str = "", *, chargeback: bool = False) -> dict[str, Any]:
        """A refund or chargeback of `amount` happened; the whole of what was left ends the order."""
        known = {
            "refund_chargeback_id": len(self.refunds) + 1,
            "refund_amount": f"{amount:.2f}",
            "created_at": wib_now(),
            "reason": reason,
            "refund_key": key,
            "refund_method": "bank_transfer",
        }
        kind = "chargeback" if chargeback else "refund"
        self.status = kind if amount == self.left else f"partial_{kind}"
        self.refunds.append(known)
        return known

    def describe(self) -> dict[str, Any]:
        """The answer to a status request; without the proof."""
        assert self.status is not None, "an order nobody tried to pay has no status at Midtrans"
        known: dict[str, Any] = {
            "transaction_time": self.transaction_time,
            "transaction_status": self.status,
            "transaction_id": self.transaction_id,
            "status_message": "midtrans payment notification",
            "status_code": DOUBTED.get(self.fraud_status if self.status == "capture" else "")
            or STATUS_CODES.get(self.status, "200"),
            "payment_type": self.payment_type,
            "order_id": self.order_id,
            "merchant_id": "G000000001",
            "gross_amount": self.gross_amount,
            "fraud_status": self.fraud_status,
            "currency": self.currency,
        }
        if self.settlement_time:
            known["settlement_time"] = self.settlement_time
        if self.refunds:
            known["refund_amount"] = f"{Decimal(self.gross_amount) - self.left:.2f}"  # the sum of all so far
            known["refunds"] = [dict(one) for one in self.refunds]
        return known

    def sent_on(self) -> str | None:
        """`finish` with what Snap appends to it ("Window redirection"); None where nobody is sent on."""
        if self.finish is None or self.status is None:
            return None
        said = self.describe()
        told = {name: said[name] for name in ("merchant_id", "order_id", "status_code", "transaction_status")}
        parts = urlsplit(self.finish)
        return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *told.items()])))

    def notification(self, server_key: str, **changes: Any) -> dict[str, Any]:
        """The notification's body with its proof. `changes` are signed too; a change to None leaves the value out."""
        code = NOTIFIED_CODES.get(self.status or "")
        body = {**self.describe(), **({"status_code": code} if code else {}), **changes}
        return _signed({name: value for name, value in body.items() if value is not None}, server_key)

    def signed(self, server_key: str, **changes: Any) -> dict[str, Any]:
        """The answer's body with its proof."""
        return _signed({**self.describe(), **changes}, server_key)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def dashboard_test(server_key: str) -> dict[str, Any]:
    """What the button "Test notification URL" of Midtrans' dashboard sends: signed, of an order that nobody made."""
    order = Order(f"payment_notif_test_G000000001_{uuid.uuid4()}", "105000.00", payment_type="gopay")
    order.move("settlement")
    return order.notification(server_key)


def _signed(body: dict[str, Any], server_key: str) -> dict[str, Any]:
    return {**body, "signature_key": signature(body, server_key)}


def signature(body: dict[str, Any], server_key: str) -> str:
    text = f"{body['order_id']}{body['status_code']}{body['gross_amount']}{server_key}"
    return hashlib.sha512(text.encode()).hexdigest()


def authorised(header: str | None, server_key: str) -> bool:
    """Whether a call carries the server key as the user of HTTP Basic, as Midtrans asks."""
    expected = "Basic " + base64.b64encode(f"{server_key}:".encode()).decode()
    return hmac.compare_digest(expected, header or "")


def wib_now() -> str:
    """The present as Midtrans writes it."""
    return datetime.now(zone("Asia/Jakarta")).strftime("%Y-%m-%d %H:%M:%S")
