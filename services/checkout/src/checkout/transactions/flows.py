"""What came in and what went out, payment by payment: the part of a Transaction's state that says whose money is where.

No refund may give back more than `Flow.left`. What a provider says went back is the total so far, so the highest word
counts; a refund of ours adds to what was gone when it was asked for. Both hold whatever arrives first or twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    PaymentNeedsReview,
    RefundFailed,
    RefundRequested,
    TransactionPaid,
    TransactionRefunded,
)

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
