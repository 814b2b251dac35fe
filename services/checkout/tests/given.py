"""Facts, commands and instants that the decider's tests begin with."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    PractitionerAssigned,
    ProductSnapshot,
    RefundFailed,
    RefundRequested,
    TransactionCanceled,
    TransactionCreated,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
)
from checkout.transactions.commands import Candidate, Create, NewIds, Offer, Refusal, ReportPayment
from checkout.transactions.decider import decide
from checkout.transactions.state import State, fold

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TRANSACTION, MEMBER, PRACTITIONER, OTHER = (UUID(int=n) for n in (1, 2, 3, 4))
REFUND, REASON = UUID(int=10), UUID(int=11)
PRICE = Money(250_000, "IDR")
PRODUCT = ProductSnapshot(id=UUID(int=9), name="Konseling", kind="counseling", tier="gold", duration_minutes=60)
PARTIES: dict[str, Any] = {"transaction_id": TRANSACTION, "user_id": MEMBER, "practitioner_id": PRACTITIONER}

CREATED = TransactionCreated(
    transaction_id=TRANSACTION,
    user_id=MEMBER,
    product=PRODUCT,
    price=PRICE,
    provider="midtrans",
    reference=str(TRANSACTION),
    expires_at=NOON + timedelta(hours=24),
    request_limit_minutes=10080,
    auto_start=False,
)
ASSIGNED = PractitionerAssigned(**PARTIES, product_id=PRODUCT.id, kind="counseling", tier="gold")
PAID = TransactionPaid(
    **PARTIES,
    amount=PRICE,
    provider="midtrans",
    provider_payment_id="p1",
    paid_at=NOON,
    settled_at=NOON,
    kind="counseling",
    request_limit_minutes=10080,
    auto_start=False,
)
EXPIRED = TransactionExpired(**PARTIES, expires_at=CREATED.expires_at)
CANCELED = TransactionCanceled(**PARTIES)
REFUND_REQUESTED = RefundRequested(**PARTIES, refund_id=REFUND, amount=PRICE, reason_id=REASON)
REFUND_FAILED = RefundFailed(**PARTIES, refund_id=REFUND, code="412")
REFUNDED = TransactionRefunded(**PARTIES, refund_id=REFUND, amount=PRICE)

AWAITING: tuple[Event, ...] = (CREATED, ASSIGNED)
WHEN_PAID: tuple[Event, ...] = (*AWAITING, PAID)
WHEN_REFUNDING: tuple[Event, ...] = (*WHEN_PAID, REFUND_REQUESTED)
WHEN_REFUND_FAILED: tuple[Event, ...] = (*WHEN_REFUNDING, REFUND_FAILED)
WHEN_REFUNDED: tuple[Event, ...] = (*WHEN_REFUNDING, REFUNDED)
WHEN_EXPIRED: tuple[Event, ...] = (*AWAITING, EXPIRED)
WHEN_CANCELED: tuple[Event, ...] = (*AWAITING, CANCELED)
EVERY_STATUS = {
    "awaiting_payment": AWAITING,
    "paid": WHEN_PAID,
    "refunded": WHEN_REFUNDED,
    "expired": WHEN_EXPIRED,
    "canceled": WHEN_CANCELED,
}


def after(*events: Event) -> State:
    """The state that these events lead to, all at noon."""
    return fold((event, NOON) for event in events)


def when(command: Any, *given: Event) -> list[Event] | Refusal:
    """What the decider answers to the command in the state of the given events."""
    return decide(command, after(*given))


def happened(command: Any, *given: Event) -> list[Event]:
    """As `when`, for a command that must not be refused."""
    answer = when(command, *given)
    assert not isinstance(answer, Refusal), answer
    return answer


def code_of(answer: list[Event] | Refusal) -> str:
    """The refusal's code."""
    assert isinstance(answer, Refusal), answer
    return answer.code


def candidate(practitioner_id: UUID = PRACTITIONER, *, tier: str = "gold", active: bool = True) -> Candidate:
    return Candidate(practitioner_id, frozenset({tier}), active)


def create(practitioner: Candidate | None = None, *, active: bool = True) -> Create:
    offer = Offer(PRODUCT, PRICE, 10080, auto_start=False, active=active)
    return Create(TRANSACTION, MEMBER, offer, practitioner or candidate(), "midtrans", CREATED.expires_at)


def report(status: Any, amount: Money = PRICE, *, payment: str = "p1", **more: Any) -> ReportPayment:
    ids = NewIds(uuid4(), uuid4(), uuid4(), uuid4())
    return ReportPayment(
        provider="midtrans", payment_id=payment, status=status, amount=amount, at=NOON, ids=ids, **more
    )


def types(events: list[Event]) -> list[str]:
    return [event.TYPE for event in events]
