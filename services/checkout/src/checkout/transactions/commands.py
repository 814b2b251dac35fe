"""What can be asked of a Transaction, and how it says no.

Time, actor and new ids arrive with the command: the decider makes up nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from checkout.transactions.state import Status

PaymentStatus = Literal["pending", "failed", "denied", "voided", "paid", "partly_refunded", "refunded"]
"""What a payment came to. failed: no money came; denied: its method refused it, and takes back what it gave; voided:
taken back; partly_refunded, refunded: money came and went."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The product as the catalogue has it at the moment of the sale."""

    product: ProductSnapshot
    price: Money
    request_limit_minutes: int
    auto_start: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """The chosen practitioner as the directory has them now."""

    id: UUID
    tiers: frozenset[str]
    active: bool


@dataclass(frozen=True, slots=True)
class Create:
    """`offer`, `practitioner`: None where there is none. `page_at`: when a worker may first ask for a payment page.
    `return_url`: where the page sends the member afterwards."""

    transaction_id: UUID
    user_id: UUID
    offer: Offer | None
    practitioner: Candidate | None
    provider: str
    expires_at: datetime
    page_at: datetime | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    reason_id: UUID | None


@dataclass(frozen=True, slots=True)
class Expire:
    now: datetime


@dataclass(frozen=True, slots=True)
class NewIds:
    """Ids for whatever a payment report may bring about."""

    review: UUID
    second_review: UUID
    refund: UUID
    reason: UUID


@dataclass(frozen=True, slots=True)
class ReportPayment:
    """What a provider says, verified. `amount` is the payment's own, None where nobody can tell. `returned`: all that
    went back so far; None for all there was (`refunded`), or for an amount that nobody told (`partly_refunded`).
    `voided`, `denied`: said of this payment before, or now. `refund_ids`: refunds of ours that are done."""

    provider: str
    payment_id: str
    status: PaymentStatus
    amount: Money | None
    at: datetime
    ids: NewIds
    returned: Money | None = None
    provider_refund_id: str | None = None
    elsewhere: bool = False  # this payment already counted for another Transaction
    voided: bool = False
    denied: bool = False
    refund_ids: tuple[str, ...] = ()
    exact: bool = True  # false: the provider's amount is finer than a unit of its currency, so it can't be the price
    settled_at: datetime | None = None  # when the money came, by the provider's clock
    declined: str | None = None  # the provider's word for a refusal


@dataclass(frozen=True, slots=True)
class RequestRefund:
    refund_id: UUID
    reason_id: UUID


@dataclass(frozen=True, slots=True)
class SettleReview:
    review_id: UUID
    outcome: Literal["refund", "dismiss"]
    reason_id: UUID
    refund_id: UUID


@dataclass(frozen=True, slots=True)
class ConfirmRefund:
    """The provider returned the money."""

    refund_id: UUID
    provider_refund_id: str | None


@dataclass(frozen=True, slots=True)
class RefuseRefund:
    """The provider's final no."""

    refund_id: UUID
    code: str


@dataclass(frozen=True, slots=True)
class Reassign:
    """`session_status` is what the sessions topic, as consumed so far, says of this Transaction's latest session."""

    practitioner: Candidate | None
    reason_id: UUID
    session_status: str | None


@dataclass(frozen=True, slots=True)
class FollowSession:
    """A session runs or ended with this practitioner: consultation has the last word (P2)."""

    practitioner_id: UUID


Command = (
    Create
    | Cancel
    | Expire
    | ReportPayment
    | RequestRefund
    | SettleReview
    | ConfirmRefund
    | RefuseRefund
    | Reassign
    | FollowSession
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is stable, `detail` is for people; `current_status` is named where the status is the reason."""

    code: str
    detail: str
    current_status: Status | None = None
