"""`manual`: payments that people confirm, for demonstrations and bank transfers; signed with a secret of the settings.

It has no pages and nobody to ask. Its refund is the admin's own bank transfer: the request itself says it is done.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from booking_contracts.money import Money
from checkout.payments.provider import (
    BadSignatureError,
    Notification,
    PaymentOrder,
    ProviderRefusedError,
    RefundOrder,
    json_object,
    text,
)
from checkout.transactions.commands import PaymentStatus

STATUSES: Mapping[str, PaymentStatus] = {
    "paid": "paid",
    "failed": "failed",
    "refunded": "refunded",
    "pending": "pending",
}
_MOST_AMOUNT = 10**15


class Manual:
    """The `manual` provider. `secrets`: all are accepted, so that one can be replaced without a gap (T22)."""

    name = "manual"
    remote = False

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise `BadSignatureError` unless `X-Signature` is the HMAC-SHA256 of these very bytes."""
        given = headers.get("x-signature", "").strip().lower().encode("utf-8", "replace")
        # In constant time: how much of a guess fits cannot be measured.
        fits = [hmac.compare_digest(given, _signature(secret, body)) for secret in self._secrets]
        if not any(fits):
            raise BadSignatureError(self.name)

    def parse(self, body: bytes) -> Notification:
        """Return what it says; see `Provider.parse`."""
        said = json_object(body)
        status = STATUSES.get(text(said.get("status")))
        amount = _money(said.get("amount"), said.get("currency"))
        notification_id = text(said.get("notification_id")) or hashlib.sha256(body).hexdigest()
        return Notification(
            provider=self.name,
            notification_id=notification_id,
            payment_id=text(said.get("payment_id")) or notification_id,
            reference=_reference(text(said.get("transaction_id"))),
            status=status,
            amount=amount,
            returned=amount if status == "refunded" else None,  # it tells what went back so far, not what came
            settled_at=_instant(said.get("settled_at")),
            declined="failed" if status == "failed" else None,
        )

    async def create_session(self, _order: PaymentOrder) -> str:
        """There is no page."""
        raise ProviderRefusedError("no_pages")

    async def status(self, reference: str) -> None:
        """Nobody can be asked."""

    async def refund(self, _order: RefundOrder) -> str | None:
        """Done by hand: who asked for it transfers the money."""
        return None

    async def close(self) -> None:
        """Nothing to free."""


def _signature(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


def _reference(transaction_id: str) -> str:
    """A UUID in whatever spelling is one reference."""
    try:
        return str(UUID(transaction_id))
    except ValueError:
        return transaction_id


def _instant(value: object) -> datetime | None:
    """RFC 3339 with its zone; None for what is no such time."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at and at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _money(amount: object, currency: object) -> Money | None:
    if type(amount) is not int or not 0 <= amount <= _MOST_AMOUNT:
        return None
    if not isinstance(currency, str) or len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        return None
    return Money(amount, currency) if currency.isupper() else None
