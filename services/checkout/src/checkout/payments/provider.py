"""The port to a payment provider. What it answers is untrusted: checked for size, time and shape (T28).

ProviderError
├── ProviderDownError      no answer, or none that can be used: try again later
├── ProviderRefusedError   a final no, with the provider's code
├── BadSignatureError      a notification that is not the provider's: 401, nothing is stored (F76)
└── BadBodyError           a notification that is no JSON object: 400
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from booking_contracts.money import DECIMALS, Money, from_provider
from checkout.transactions.commands import PaymentStatus


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
    `settled_at`: when the money came, by the provider's clock; None where it doesn't say. `declined`: its word for a
    refusal of the payment.
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
    settled_at: datetime | None = None
    declined: str | None = None

    @property
    def names(self) -> UUID | None:
        """The Transaction that the reference could be."""
        try:
            return UUID(self.reference)
        except ValueError:
            return None


MONEY = ("paid", "partly_refunded", "refunded")  # they tell of money that came, whatever became of it


@dataclass(frozen=True, slots=True)
class Heard:
    """`received` came in, `returned` went out, in units of `currency`. `partly`: a part went back that nobody told."""

    currency: str | None = None
    received: int | None = None
    returned: int = 0
    partly: bool = False
    whole: bool = False
    voided: bool = False
    denied: bool = False

    def and_(self, said: Notification) -> "Heard":
        """Return this with one more word of the provider's. Another currency than the first is not added up."""
        after = replace(
            self,
            voided=self.voided or said.status == "voided",
            denied=self.denied or (said.status == "denied" and not said.retry),
        )
        amount = said.amount
        if said.status not in MONEY or amount is None or self.currency not in (None, amount.currency):
            return after
        so_far = said.returned
        return replace(
            after,
            currency=amount.currency,
            received=max(self.received or 0, amount.amount),
            returned=max(self.returned, so_far.amount if so_far else 0),
            partly=self.partly or (said.status == "partly_refunded" and so_far is None),
            whole=self.whole or (said.status == "refunded" and so_far is None),
        )

    @property
    def gone(self) -> bool:
        """Whether all that came went back."""
        return self.received is not None and (self.whole or self.voided or self.returned >= self.received)

    @property
    def unclear(self) -> bool:
        """Whether something went back that nobody can count: an untold part, or a denial whose order is unknown."""
        return self.partly or self.denied

    @property
    def left(self) -> Money | None:
        """What could be given back; None for nothing, or where nobody can know."""
        if self.received is None or self.currency is None or self.gone or self.unclear:
            return None
        return Money(self.received - self.returned, self.currency)


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What a payment page is asked for."""

    reference: str
    price: Money
    expires_at: datetime
    return_url: str | None = None


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

    def verify(self, headers: Mapping[str, str], body: bytes, /) -> None:
        """Raise `BadSignatureError` unless these raw bytes are the provider's, `BadBodyError` if nobody can tell."""
        ...

    def parse(self, body: bytes) -> Notification:
        """Return what a verified body says; `BadBodyError` for what is no JSON object, nothing else is refused."""
        ...

    async def create_session(self, order: PaymentOrder, /) -> str:
        """Return the address where the member pays. Repeating it is harmless."""
        ...

    async def status(self, reference: str) -> tuple[Notification, bytes] | None:
        """Return what the provider knows of this reference, and its words; None if nobody began to pay."""
        ...

    async def refund(self, order: RefundOrder, /) -> str | None:
        """Give money back and return the provider's id of that. Repeating it with the same order is harmless."""
        ...

    async def close(self) -> None:
        """Free connections."""
        ...


MOST_TEXT = 200  # characters of an id; events allow no more
_UNKNOWN_DECIMALS = 2
_MOST_AMOUNT = 10**15


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or raise `BadBodyError`.

    A name that appears twice is refused: which of the two counts depends on the reader, and one of them was not signed.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadBodyError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise BadBodyError("the body is no JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name appears twice")
    return dict(pairs)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def text(value: object) -> str:
    """Return a value as storable text: no NUL, no lone surrogate, bounded; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:MOST_TEXT]


def money(amount: object, currency: object) -> tuple[Money | None, bool]:
    """Return a provider's `"250000.00"` as Money, and whether it is exact; (None, False) for what is no amount.

    An amount that is finer than a unit is rounded up and not exact, a currency that we don't know has two decimals:
    neither can ever equal a price, both must reach an admin (P4).
    """
    if not isinstance(amount, str) or not isinstance(currency, str):
        return None, False
    try:
        return from_provider(amount, currency), True
    except ValueError:
        return _rounded_up(amount, currency), False


def _rounded_up(amount: str, currency: str) -> Money | None:
    whole, _, fraction = amount.partition(".")
    if not (whole.isascii() and whole.isdigit() and (fraction or "0").isascii() and (fraction or "0").isdigit()):
        return None
    if len(currency) != 3 or not (currency.isascii() and currency.isupper() and currency.isalpha()):
        return None
    digits = DECIMALS.get(currency, _UNKNOWN_DECIMALS)
    units = int(whole + fraction[:digits].ljust(digits, "0")) + bool(fraction[digits:].rstrip("0"))
    return Money(units, currency) if units <= _MOST_AMOUNT else None


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a provider is asked again (`doubled_sql`), by the database's clock, so that no process's clock matters.

    The first and the longest wait, in seconds.
    """

    base: float
    most: float

    @property
    def parameters(self) -> dict[str, float]:
        """For the statements that claim what is due."""
        return {"first": self.base, "longest": self.most}
