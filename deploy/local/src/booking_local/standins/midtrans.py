"""What Midtrans knows of one order, and how it says so: the status body, which is the notification's body as well.

Times are naive and Indonesian (WIB), amounts are strings with two decimals, the proof is
hex SHA512(order_id + status_code + gross_amount + server key).
"""

import base64
import hashlib
import hmac
import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from booking_contracts.zones import zone

STATUS_CODES = {
    "settlement": "200",
    "capture": "200",
    "pending": "201",
    "deny": "202",
    "expire": "407",
    "cancel": "200",
    "failure": "202",
    "refund": "200",
    "partial_refund": "200",
}
PAID = ("settlement", "capture")


@dataclass
class Order:
    """One order: asked for by Snap, then maybe attempted, paid and refunded."""

    order_id: str
    gross_amount: str
    currency: str = "IDR"
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    transaction_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str | None = None
    fraud_status: str = "accept"
    transaction_time: str = ""
    settlement_time: str | None = None
    refunds: list[dict[str, Any]] = field(default_factory=list)

    def move(self, status: str, *, fraud_status: str = "accept") -> None:
        """The customer or the bank did something."""
        self.status = status
        self.fraud_status = fraud_status
        self.transaction_time = self.transaction_time or wib_now()
        if status in PAID:
            self.settlement_time = self.settlement_time or wib_now()

    def describe(self) -> dict[str, Any]:
        """The answer to a status request; without the proof."""
        assert self.status is not None, "an order nobody tried to pay has no status at Midtrans"
        known: dict[str, Any] = {
            "transaction_time": self.transaction_time,
            "transaction_status": self.status,
            "transaction_id": self.transaction_id,
            "status_message": "midtrans payment notification",
            "status_code": STATUS_CODES.get(self.status, "200"),
            "payment_type": "bank_transfer",
            "order_id": self.order_id,
            "merchant_id": "G000000001",
            "gross_amount": self.gross_amount,
            "fraud_status": self.fraud_status,
            "currency": self.currency,
        }
        if self.settlement_time:
            known["settlement_time"] = self.settlement_time
        if self.refunds:
            known["refund_amount"] = f"{sum(float(refund['refund_amount']) for refund in self.refunds):.2f}"
            known["refunds"] = self.refunds
        return known

    def signed(self, server_key: str, **changes: Any) -> dict[str, Any]:
        """The body with its proof. `changes` are signed too: a wrong amount from the provider itself."""
        body = {**self.describe(), **changes}
        body["signature_key"] = signature(body, server_key)
        return body

    def as_json(self) -> dict[str, Any]:
        """For the state file."""
        return asdict(self)


def signature(body: dict[str, Any], server_key: str) -> str:
    """Midtrans' proof of a notification."""
    text = f"{body['order_id']}{body['status_code']}{body['gross_amount']}{server_key}"
    return hashlib.sha512(text.encode()).hexdigest()


def authorised(header: str | None, server_key: str) -> bool:
    """Whether a call carries the server key as the user of HTTP Basic, as Midtrans asks."""
    expected = "Basic " + base64.b64encode(f"{server_key}:".encode()).decode()
    return hmac.compare_digest(expected, header or "")


def wib_now() -> str:
    """The present as Midtrans writes it."""
    return datetime.now(zone("Asia/Jakarta")).strftime("%Y-%m-%d %H:%M:%S")
