"""What a Transaction is at one version: a union by status, folded from its events.

The state holds what decisions need and what the read row shows; `at` is the instant an event occurred, for what people
are shown (`created_at`, a refund's times).

Its flows say what came in and what went out, payment by payment: whose money is where. No refund may give back more
than `Flow.left`. What a provider says went back is the total so far, so the highest word counts; a refund of ours adds
to what was gone when it was asked for. Both hold whatever arrives first or twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    MoneyDirection,
    PaymentDeclined,
    PaymentNeedsReview,
    PaymentReviewSettled,
    PractitionerAssigned,
    PractitionerReassigned,
    ProductSnapshot,
    RefundFailed,
    RefundRequested,
    ReviewCause,
    TransactionCanceled,
    TransactionCreated,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
)

Status = Literal["awaiting_payment", "paid", "refunded", "expired", "canceled"]


Key = tuple[str, str, str]  # provider, its payment's id, currency
Flows = tuple["Flow", ...]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A refund that waits for the provider's word. `gone`: what had gone back when it was asked for."""

    refund_id: UUID
    review_id: UUID | None
    amount: int
    gone: int


@dataclass(frozen=True, slots=True)
class Flow:
    """The money of one payment, in units of its currency."""

    key: Key
    came: int
    gone: int = 0
    under_way: tuple[UnderWay, ...] = ()

    @property
    def rest(self) -> int:
        """What came and is not known to have gone."""
        return max(0, self.came - self.gone)

    @property
    def left(self) -> int:
        """What could still be given back: nobody has returned it, and no refund under way will."""
        return max(0, self.rest - sum(refund.amount for refund in self.under_way))

    def money(self, amount: int) -> Money:
        """An amount of this payment's currency."""
        return Money(amount, self.key[2])


def key_of(provider: str, payment_id: str, amount: Money) -> Key:
    """Return whose flow an amount belongs to."""
    return provider, payment_id, amount.currency


def flow_of(flows: Flows, key: Key) -> Flow | None:
    """Return a payment's flow, None while nothing of it came."""
    return next((flow for flow in flows if flow.key == key), None)


@dataclass(frozen=True, slots=True)
class Sale:
    """What was sold, to whom, for how much: copied at the sale, so the catalogue never changes it (P1)."""

    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID | None
    product: ProductSnapshot
    price: Money
    provider: str
    reference: str
    expires_at: datetime
    request_limit_minutes: int
    auto_start: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """The one payment that paid the sale."""

    provider: str
    payment_id: str
    amount: Money
    paid_at: datetime

    @property
    def key(self) -> Key:
        """Whose flow its money belongs to."""
        return key_of(self.provider, self.payment_id, self.amount)


@dataclass(frozen=True, slots=True)
class Refund:
    """The latest refund of the sale itself; refunds of reviewed money live with their review (P5)."""

    id: UUID
    amount: Money
    status: Literal["requested", "succeeded", "failed"]
    requested_at: datetime
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Money that fits nothing and waits for an admin (P4). `received` came in, `returned` is known to have gone back of
    it. Not `refundable`: nobody here can know how much is left, or the payment counts for another Transaction."""

    id: UUID
    provider: str
    payment_id: str
    received: Money
    cause: ReviewCause
    created_at: datetime
    state: Literal["open", "dismissed", "refunding", "refunded"] = "open"
    refund_id: UUID | None = None
    direction: MoneyDirection = "in"
    returned: Money | None = None
    refundable: bool = True

    @property
    def key(self) -> Key:
        """Whose flow its money belongs to."""
        return key_of(self.provider, self.payment_id, self.received)


@dataclass(frozen=True, slots=True)
class Absent:
    """No event yet."""


@dataclass(frozen=True, slots=True)
class AwaitingPayment:
    """`declined`: provider and id of each payment that was refused."""

    sale: Sale
    reviews: tuple[Review, ...] = ()
    flows: Flows = ()
    declined: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Paid:
    sale: Sale
    payment: Payment
    refund: Refund | None = None
    reviews: tuple[Review, ...] = ()
    flows: Flows = ()


@dataclass(frozen=True, slots=True)
class Refunded:
    sale: Sale
    payment: Payment
    refund: Refund
    reviews: tuple[Review, ...] = ()
    flows: Flows = ()


@dataclass(frozen=True, slots=True)
class Expired:
    sale: Sale
    reviews: tuple[Review, ...] = ()
    flows: Flows = ()


@dataclass(frozen=True, slots=True)
class Canceled:
    sale: Sale
    reviews: tuple[Review, ...] = ()
    flows: Flows = ()


Existing = AwaitingPayment | Paid | Refunded | Expired | Canceled
State = Absent | Existing

STATUS: dict[type[Existing], Status] = {
    AwaitingPayment: "awaiting_payment",
    Paid: "paid",
    Refunded: "refunded",
    Expired: "expired",
    Canceled: "canceled",
}


class ImpossibleHistoryError(Exception):
    """A stream that the decider could not have written."""


def fold(events: Iterable[tuple[Event, datetime]], state: State = Absent()) -> State:
    """Return the state after these events, each with the instant it occurred."""
    for event, at in events:
        state = evolve(state, event, at)
    return state


def evolve(state: State, event: Event, at: datetime) -> State:
    """Return the state after one more event; an impossible one raises `ImpossibleHistoryError`."""
    after = _status_after(state, event, at)
    if isinstance(state, Absent):
        return after
    return replace(after, flows=flows_after(state.flows, event, _owner(state, event)))


def left_of(review: Review, state: Existing) -> Money | None:
    """Return what settling a review by refund would give back; None for nothing, or where nobody can know."""
    flow = flow_of(state.flows, review.key)
    if flow is None or not review.refundable:
        return None
    left = flow.left
    if isinstance(state, Paid) and state.payment.key == review.key:
        if review.direction == "in":
            left = min(left, flow.came - state.payment.amount.amount)  # the price itself is the sale's
        elif state.refund and state.refund.status == "requested":
            return None
    if review.direction == "in":
        left = min(left, review.received.amount)
    return flow.money(left) if left > 0 else None


def _owner(state: Existing, event: Event) -> Key | None:
    """Whose money a refund's event is about."""
    if not isinstance(event, RefundRequested | TransactionRefunded | RefundFailed):
        return None
    if event.review_id is not None:
        return next((review.key for review in state.reviews if review.id == event.review_id), None)
    return state.payment.key if isinstance(state, Paid | Refunded) else None


def _status_after(state: State, event: Event, at: datetime) -> State:  # noqa: C901, PLR0911, PLR0912 - the lifecycle on one page
    match state, event:
        case Absent(), TransactionCreated():
            return AwaitingPayment(_sale(event, at))
        case Absent(), _:
            raise ImpossibleHistoryError(f"{event.TYPE} without TransactionCreated")
        case _, PractitionerAssigned() | PractitionerReassigned():
            return replace(state, sale=replace(state.sale, practitioner_id=event.practitioner_id))
        case _, PaymentNeedsReview() | PaymentReviewSettled():
            return replace(state, reviews=_reviewed(state.reviews, event, at))
        case _, (RefundRequested() | TransactionRefunded() | RefundFailed()) if event.review_id is not None:
            return replace(state, reviews=_refunded_review(state.reviews, event))
        case AwaitingPayment(), TransactionPaid():
            payment = Payment(event.provider, event.provider_payment_id, event.amount, event.paid_at)
            return Paid(state.sale, payment, None, state.reviews)  # `evolve` adds the flows
        case AwaitingPayment(), PaymentDeclined():
            payment = event.provider, event.provider_payment_id
            return replace(state, declined=(*state.declined, payment))
        case AwaitingPayment(), TransactionExpired():
            return Expired(state.sale, state.reviews)
        case AwaitingPayment(), TransactionCanceled():
            return Canceled(state.sale, state.reviews)
        case Paid(), RefundRequested():
            return replace(state, refund=Refund(event.refund_id, event.amount, "requested", at))
        case Paid(refund=Refund() as refund), RefundFailed():
            return replace(state, refund=replace(refund, status="failed", settled_at=at))
        case Paid(), TransactionRefunded():
            return Refunded(state.sale, state.payment, _succeeded(state.refund, event, at), state.reviews)
        case _:
            raise ImpossibleHistoryError(f"{event.TYPE} on a Transaction that is {STATUS[type(state)]}")


def _sale(event: TransactionCreated, at: datetime) -> Sale:
    return Sale(
        transaction_id=event.transaction_id,
        user_id=event.user_id,
        practitioner_id=event.practitioner_id,
        product=event.product,
        price=event.price,
        provider=event.provider,
        reference=event.reference,
        expires_at=event.expires_at,
        request_limit_minutes=event.request_limit_minutes,
        auto_start=event.auto_start,
        created_at=at,
    )


def _succeeded(refund: Refund | None, event: TransactionRefunded, at: datetime) -> Refund:
    """The refund that was asked for, or one that the provider began by itself."""
    asked = refund is not None and refund.id == event.refund_id
    return Refund(event.refund_id, event.amount, "succeeded", refund.requested_at if refund and asked else at, at)


def _reviewed(
    reviews: tuple[Review, ...], event: PaymentNeedsReview | PaymentReviewSettled, at: datetime
) -> tuple[Review, ...]:
    if isinstance(event, PaymentNeedsReview):
        known: dict[str, Any] = {
            "direction": event.direction or "in",
            "returned": event.returned,
            "refundable": event.refundable is not False,
        }
        if any(r.id == event.review_id for r in reviews):  # told again, because more is known
            return tuple(replace(r, **known) if r.id == event.review_id else r for r in reviews)
        payment = (event.provider, event.provider_payment_id)
        return (*reviews, Review(event.review_id, *payment, event.received, event.cause, at, **known))
    state = "dismissed" if event.outcome == "dismiss" else "refunding"
    return tuple(replace(r, state=state) if r.id == event.review_id else r for r in reviews)


def _refunded_review(
    reviews: tuple[Review, ...], event: RefundRequested | TransactionRefunded | RefundFailed
) -> tuple[Review, ...]:
    """A refund that failed for good opens its review again: an admin may try once more or dismiss (P5)."""
    state: Literal["refunding", "refunded", "open"] = "refunding"
    if isinstance(event, TransactionRefunded):
        state = "refunded"
    elif isinstance(event, RefundFailed):
        state = "open"
    return tuple(replace(r, state=state, refund_id=event.refund_id) if r.id == event.review_id else r for r in reviews)


class Parties(TypedDict):
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID


def parties(sale: Sale) -> Parties:
    """Return the Transaction and its locked pair."""
    return Parties(transaction_id=sale.transaction_id, user_id=sale.user_id, practitioner_id=practitioner_of(sale))


def practitioner_of(sale: Sale) -> UUID:
    """Return the practitioner; only within the decision that creates it has a Transaction none."""
    if sale.practitioner_id is None:
        raise AssertionError("a Transaction is created together with its practitioner")
    return sale.practitioner_id


def flows_after(flows: Flows, event: Event, owner: Key | None) -> Flows:
    """Return the flows after an event. `owner`: whose money a refund's event is about."""
    match event:
        case TransactionPaid():
            key = key_of(event.provider, event.provider_payment_id, event.amount)
            return _put(flows, _came(flows, key, event.amount.amount))
        case PaymentNeedsReview():
            key = key_of(event.provider, event.provider_payment_id, event.received)
            flow = _came(flows, key, event.received.amount)
            gone = event.returned.amount if event.returned else 0
            return _put(flows, replace(flow, gone=min(flow.came, max(flow.gone, gone))))
        case RefundRequested() | TransactionRefunded() | RefundFailed():
            flow = flow_of(flows, owner) if owner else None
            return _put(flows, _refunds(flow, event)) if flow else flows
        case _:
            return flows


def _refunds(flow: Flow, event: RefundRequested | TransactionRefunded | RefundFailed) -> Flow:
    if isinstance(event, RefundRequested):
        asked = UnderWay(event.refund_id, event.review_id, event.amount.amount, flow.gone)
        return replace(flow, under_way=(*flow.under_way, asked))
    asked = next((refund for refund in flow.under_way if refund.refund_id == event.refund_id), None)
    others = tuple(refund for refund in flow.under_way if refund.refund_id != event.refund_id)
    if isinstance(event, RefundFailed):
        return replace(flow, under_way=others)
    gone = max(flow.gone, asked.gone + asked.amount) if asked else flow.gone + event.amount.amount
    return replace(flow, gone=min(flow.came, gone), under_way=others)


def _came(flows: Flows, key: Key, amount: int) -> Flow:
    known = flow_of(flows, key)
    return replace(known, came=max(known.came, amount)) if known else Flow(key, amount)


def _put(flows: Flows, flow: Flow) -> Flows:
    if flow_of(flows, flow.key) is None:
        return (*flows, flow)
    return tuple(flow if one.key == flow.key else one for one in flows)
