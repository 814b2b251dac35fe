"""The port to a payment provider. What it answers is untrusted: checked for size, time and shape (T28).

ProviderError
├── ProviderDownError      no answer, or none that can be used: try again later
├── ProviderRefusedError   a final no, with the provider's code
├── BadSignatureError      a notification that is not the provider's: 401, nothing is stored (F76)
└── BadBodyError           a notification that is no JSON object: 400
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from booking_contracts.money import Money
from checkout.transaction.commands import PaymentStatus


class ProviderError(Exception):
    """What can go wrong with a payment provider."""


class ProviderDownError(ProviderError):
    """No usable answer within the deadline."""


class ProviderRefusedError(ProviderError):
    """The provider's final no."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class BadSignatureError(ProviderError):
    """Not signed by the provider."""


class BadBodyError(ProviderError):
    """No JSON object."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a provider said of one payment. `status` None: verified, yet nobody can tell what it means.

    `returned` is all that went back so far; None for all there was (`refunded`), or for what nobody told
    (`partly_refunded`). `retry`: the same payment may succeed yet. `test`: the provider tries our address only.
    """

    provider: str
    notification_id: str
    payment_id: str
    reference: str
    status: PaymentStatus | None
    amount: Money | None
    exact: bool = True  # false: the amount was finer than a unit of its currency and is rounded up
    returned: Money | None = None
    provider_refund_id: str | None = None
    refund_ids: tuple[str, ...] = ()
    retry: bool = False
    test: bool = False

    @property
    def names(self) -> UUID | None:
        """The Transaction that the reference could be."""
        try:
            return UUID(self.reference)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Order:
    """What a payment page is asked for."""

    reference: str
    price: Money
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What is to be given back; `id` makes repeats harmless."""

    id: UUID
    reference: str
    payment_id: str
    amount: Money


class Provider(Protocol):
    """One payment provider. `remote`: it has pages and can be asked for a payment's status."""

    @property
    def name(self) -> str: ...
    @property
    def remote(self) -> bool: ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise `BadSignatureError` unless these raw bytes are the provider's, `BadBodyError` if nobody can tell."""
        ...

    def parse(self, body: bytes) -> Notification:
        """Return what a verified body says; `BadBodyError` for what is no JSON object, nothing else is refused."""
        ...

    async def create_session(self, order: Order) -> str:
        """Return the address where the member pays. Repeating it is harmless."""
        ...

    async def status(self, reference: str) -> tuple[Notification, bytes] | None:
        """Return what the provider knows of this reference, and its words; None if nobody began to pay."""
        ...

    async def refund(self, order: RefundOrder) -> str | None:
        """Give money back and return the provider's id of that. Repeating it with the same order is harmless."""
        ...

    async def close(self) -> None:
        """Free connections."""
        ...
