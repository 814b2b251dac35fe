"""The life of a Transaction, told by checkout on `booking.checkout.transactions.v1`; and each Transaction as it is now,
on `booking.checkout.transaction-states.v1`."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict

from booking_contracts.event import Code, Event, Instant, Minutes, Part, ProductKind, Text
from booking_contracts.money import Money

ReviewCause = Literal["after_expiry", "after_cancel", "wrong_amount", "wrong_currency", "second_payment"]
ReviewOutcome = Literal["refund", "dismiss"]
MoneyDirection = Literal["in", "out"]
TransactionStatus = Literal["awaiting_payment", "paid", "refunded", "expired", "canceled"]
RefundStatus = Literal["requested", "succeeded", "failed"]
ReassignmentReason = Literal["by_admin", "session_already_started"]


class ProductSnapshot(Part):
    """The product as it was when it was sold: a later change of the catalogue never changes a sale (P1)."""

    model_config = ConfigDict(title="Product")
    id: UUID
    name: Text
    kind: ProductKind
    tier: Code
    duration_minutes: Minutes


class TransactionEvent(Event):
    """What every event of a Transaction carries. `practitioner_id` is null in `TransactionCreated` alone."""

    NAMESPACE: ClassVar[str] = "com.booking.checkout"
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID | None


class _LockedEvent(TransactionEvent):
    """The pair is locked: `practitioner_id` changes by reassignment alone (P2)."""

    practitioner_id: UUID


class TransactionCreated(TransactionEvent):
    """A member chose a product; price and limits are copied into the sale (P1). Consultation learns of the Transaction;
    no practitioner is set yet, `PractitionerAssigned` follows at once."""

    practitioner_id: UUID | None = None
    product: ProductSnapshot
    price: Money
    provider: Code
    reference: Code
    expires_at: Instant
    request_limit_minutes: Minutes
    auto_start: bool


class PractitionerAssigned(_LockedEvent):
    """The member's chosen practitioner was locked into the Transaction (P2). Consultation notes the pair."""

    product_id: UUID
    kind: ProductKind
    tier: Code


class PractitionerReassigned(_LockedEvent):
    """An admin gave the Transaction to another practitioner, or the system gave it back because the session had already
    begun (P2). Consultation moves an open session to the new practitioner."""

    previous_practitioner_id: UUID
    reason_code: ReassignmentReason
    reason_id: UUID | None = None


class TransactionPaid(_LockedEvent):
    """The provider's verified notification for the exact amount and currency arrived (P4). Consultation lets the member
    request a session; notifier tells the member. Revenue belongs to the day of `settled_at`. Version 1 had none: read
    as `paid_at`, the best that is known of it."""

    TYPE_VERSION: ClassVar[int] = 2
    amount: Money
    provider: Code
    provider_payment_id: Code
    paid_at: Instant
    settled_at: Instant
    kind: ProductKind
    request_limit_minutes: Minutes
    auto_start: bool


class PaymentDeclined(_LockedEvent):
    """The provider said that a payment was refused before any money of it came (P4); told once for each payment.
    Nothing changes: the member may try again until `expires_at`. Analytics reads it."""

    provider: Code
    provider_payment_id: Code
    amount: Money | None = None
    code: Code


class PaymentNeedsReview(_LockedEvent):
    """Money arrived that does not simply pay: too late, of a wrong amount or currency, or a second time (`direction` in
    or null); or a part of a payment left, or the provider contradicts itself (out) (P4). `received` is what came in by
    this payment, `returned` what is known to have gone back of it, null for nothing. `refundable` false: how much is
    left is unknown, or the payment counts for another Transaction, so settling it may give nothing back. The same
    `review_id` again tells what is known by then. Notifier tells the admins, one of whom settles it."""

    review_id: UUID
    provider: Code
    provider_payment_id: Code
    received: Money
    expected: Money
    cause: ReviewCause
    direction: MoneyDirection | None = None
    returned: Money | None = None
    refundable: bool | None = None


class PaymentReviewSettled(_LockedEvent):
    """An admin settled a payment review by refund or dismissal (P4). No other service reacts: a refund tells itself."""

    review_id: UUID
    outcome: ReviewOutcome
    reason_id: UUID


class TransactionExpired(_LockedEvent):
    """Nobody paid in time, and the provider confirmed that (P3). Notifier tells the member."""

    expires_at: Instant


class TransactionCanceled(_LockedEvent):
    """The member or an admin canceled before payment (P3). No service reacts; a later payment becomes a review."""

    reason_id: UUID | None = None


class RefundRequested(_LockedEvent):
    """Money is to be given back: an admin asked, or the provider began it (P5). Without `review_id` the right to
    request a session ends, and consultation fails the open one."""

    refund_id: UUID
    review_id: UUID | None = None
    amount: Money
    reason_id: UUID


class TransactionRefunded(_LockedEvent):
    """The provider gave the money back (P5). Notifier tells the member."""

    refund_id: UUID
    review_id: UUID | None = None
    amount: Money
    provider_refund_id: Code | None = None


class RefundFailed(_LockedEvent):
    """The provider's final no to a refund (P5). Without `review_id` the right to request a session returns; notifier
    tells the admins, who may try again."""

    refund_id: UUID
    review_id: UUID | None = None
    code: Code


class RefundState(Part):
    """The latest refund of the sale as it is now; money that was reviewed goes back by refunds of its own."""

    model_config = ConfigDict(title="Refund")
    refund_id: UUID
    status: RefundStatus
    amount: Money
    requested_at: Instant
    settled_at: Instant | None = None


class TransactionState(Event):
    """A Transaction as it is now, the fold of its events up to version `ce_sequence`: where a new reader starts,
    without the history. `ce_metadata` says who caused the last event, and by `causation_id` which one it was. Analytics
    reads it."""

    NAMESPACE: ClassVar[str] = "com.booking.checkout"
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID
    status: TransactionStatus
    product: ProductSnapshot
    price: Money
    provider: Code
    reference: Code
    request_limit_minutes: Minutes
    auto_start: bool
    created_at: Instant
    expires_at: Instant
    paid_at: Instant | None = None
    settled_at: Instant | None = None
    provider_payment_id: Code | None = None
    closed_at: Instant | None = None
    refund: RefundState | None = None
