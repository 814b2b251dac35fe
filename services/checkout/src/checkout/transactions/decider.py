"""The Transaction's rules: `decide(command, state)` gives events or a refusal. Pure: no I/O, no clock, no random.

Which command is possible in which status is the table `LIFECYCLE` (P3); everything else is one function per command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never
from uuid import UUID

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    PaymentReviewSettled,
    PractitionerAssigned,
    PractitionerReassigned,
    RefundFailed,
    RefundRequested,
    TransactionCanceled,
    TransactionCreated,
    TransactionExpired,
    TransactionRefunded,
)
from checkout.transactions.commands import (
    Cancel,
    Candidate,
    Command,
    ConfirmRefund,
    Create,
    Expire,
    FollowSession,
    Reassign,
    Refusal,
    RefuseRefund,
    ReportPayment,
    RequestRefund,
    SettleReview,
)
from checkout.transactions.payment import report_payment
from checkout.transactions.state import (
    STATUS,
    Absent,
    Existing,
    Paid,
    State,
    Status,
    flow_of,
    left_of,
    parties,
    practitioner_of,
)

ANY: frozenset[Status] = frozenset(STATUS.values())
LIFECYCLE: Mapping[type[Command], frozenset[Status]] = {
    Cancel: frozenset({"awaiting_payment"}),
    Expire: frozenset({"awaiting_payment"}),
    Reassign: frozenset({"awaiting_payment", "paid"}),
    RequestRefund: frozenset({"paid"}),
    # What others report or an admin settles is never refused for its status: money is taken as it comes (P4, P5).
    ReportPayment: ANY,
    SettleReview: ANY,
    ConfirmRefund: ANY,
    RefuseRefund: ANY,
    FollowSession: ANY,
}
PersonalCommand = Literal["cancel", "refund", "reassign"]


def allowed(
    status: Status, *, refunding: bool, begun: bool, is_owner: bool, is_admin: bool
) -> tuple[PersonalCommand, ...]:
    """The commands that somebody may give to a Transaction of this status through the HTTP interface.

    `refunding`: its money is being returned; `begun`: a session of it has begun. What else a command relies upon, the
    new practitioner or how much money is left, only shows when it is given.
    """
    is_allowed: dict[PersonalCommand, bool] = {
        "cancel": (is_owner or is_admin) and status in LIFECYCLE[Cancel],
        "refund": is_admin and status in LIFECYCLE[RequestRefund] and not refunding,
        "reassign": is_admin and status in LIFECYCLE[Reassign] and not refunding and not begun,
    }
    return tuple(name for name, yes in is_allowed.items() if yes)


NOT_REFUNDABLE = Refusal(
    "not_refundable", "Nothing of this money is left here, or how much is unknown: ask the provider, then dismiss it."
)
NO_PRACTITIONER = Refusal("not_found", "There is no such practitioner.")
BEGUN = frozenset({"on_progress", "completed"})  # sessions that nobody takes from their practitioner any more (P2)


def decide(command: Command, state: State) -> list[Event] | Refusal:  # noqa: C901, PLR0911, PLR0912 - a line a command
    """Return what happens when this is asked of that state: events (none: it is so already) or a refusal."""
    if isinstance(command, Create):
        return _create(command) if isinstance(state, Absent) else Refusal("wrong_status", "It exists already.")
    if isinstance(command, Reassign) and command.practitioner is None:
        return NO_PRACTITIONER
    if isinstance(state, Absent):
        return Refusal("not_found", "There is no such Transaction.")
    if STATUS[type(state)] not in LIFECYCLE[type(command)]:
        return _wrong_status(state)
    match command:
        case Cancel():
            return [TransactionCanceled(**parties(state.sale), reason_id=command.reason_id)]
        case Expire():
            return _expire(command, state)
        case Reassign(practitioner=Candidate() as practitioner):
            return _reassign(command, practitioner, state)
        case Reassign():
            return NO_PRACTITIONER
        case FollowSession():
            return _follow_session(command, state)
        case ReportPayment():
            return report_payment(command, state)
        case RequestRefund():
            return _request_refund(command, state)
        case SettleReview():
            return _settle_review(command, state)
        case ConfirmRefund():
            return _confirm_refund(command, state)
        case RefuseRefund():
            return _refuse_refund(command, state)
        case _:
            assert_never(command)


def _create(command: Create) -> list[Event] | Refusal:
    offer, practitioner = command.offer, command.practitioner
    if offer is None:
        return Refusal("not_found", "There is no such product.")
    if practitioner is None:
        return NO_PRACTITIONER
    if not offer.active:
        return Refusal("product_not_available", "This product is not sold now.")
    refusal = _unsuitable(practitioner, offer.product.tier, command.user_id)
    if refusal:
        return refusal
    created = TransactionCreated(
        transaction_id=command.transaction_id,
        user_id=command.user_id,
        product=offer.product,
        price=offer.price,
        provider=command.provider,
        reference=str(command.transaction_id),
        expires_at=command.expires_at,
        request_limit_minutes=offer.request_limit_minutes,
        auto_start=offer.auto_start,
    )
    assigned = PractitionerAssigned(
        transaction_id=command.transaction_id,
        user_id=command.user_id,
        practitioner_id=practitioner.id,
        product_id=offer.product.id,
        kind=offer.product.kind,
        tier=offer.product.tier,
    )
    return [created, assigned]


def _unsuitable(practitioner: Candidate, tier: str, user_id: UUID) -> Refusal | None:
    """P1: active, serving the tier, and not the buyer themselves."""
    if practitioner.id == user_id:
        return Refusal("own_practitioner", "Nobody buys a session from themselves.")
    if not practitioner.active:
        return Refusal("practitioner_not_available", "This practitioner takes no clients now.")
    if tier not in practitioner.tiers:
        return Refusal("practitioner_not_available", f"This practitioner does not serve the tier {tier}.")
    return None


def _expire(command: Expire, state: Existing) -> list[Event] | Refusal:
    if command.now < state.sale.expires_at:
        return Refusal("not_due", "Its time to pay is not over.")
    return [TransactionExpired(**parties(state.sale), expires_at=state.sale.expires_at)]


def _reassign(command: Reassign, practitioner: Candidate, state: Existing) -> list[Event] | Refusal:
    if isinstance(state, Paid) and state.refund and state.refund.status == "requested":
        return Refusal("refund_in_progress", "Its money is being returned.", "paid")
    if command.session_status in BEGUN:
        return Refusal("session_started", f"Its session is {command.session_status}: the pair stays.")
    if practitioner.id == state.sale.practitioner_id:
        return Refusal("same_practitioner", "This is the practitioner it has.")
    refusal = _unsuitable(practitioner, state.sale.product.tier, state.sale.user_id)
    if refusal:
        return refusal
    return [_reassigned(state, practitioner.id, command.reason_id)]


def _follow_session(command: FollowSession, state: Existing) -> list[Event]:
    """P2: consultation had the last word and kept the practitioner; so the pair goes back to what is lived."""
    if command.practitioner_id == state.sale.practitioner_id:
        return []
    return [_reassigned(state, command.practitioner_id, None)]


def _reassigned(state: Existing, practitioner_id: UUID, reason_id: UUID | None) -> PractitionerReassigned:
    return PractitionerReassigned(
        transaction_id=state.sale.transaction_id,
        user_id=state.sale.user_id,
        practitioner_id=practitioner_id,
        previous_practitioner_id=practitioner_of(state.sale),
        reason_code="by_admin" if reason_id else "session_already_started",
        reason_id=reason_id,
    )


def _request_refund(command: RequestRefund, state: Existing) -> list[Event] | Refusal:
    if not isinstance(state, Paid):
        return _wrong_status(state)
    if state.refund and state.refund.status == "requested":
        return Refusal("refund_in_progress", "Its money is being returned already.", "paid")
    return _refund_of_the_sale(command.refund_id, command.reason_id, state)


def _refund_of_the_sale(refund_id: UUID, reason_id: UUID, state: Paid) -> list[Event] | Refusal:
    """Give back what is left of the payment. A review of what had left already is settled with it."""
    flow = flow_of(state.flows, state.payment.key)
    reviews = [r for r in state.reviews if r.key == state.payment.key and r.state == "open" and r.direction == "out"]
    if flow is None or not flow.left or not all(review.refundable for review in reviews):
        return NOT_REFUNDABLE
    settled = [
        PaymentReviewSettled(**parties(state.sale), review_id=review.id, outcome="refund", reason_id=reason_id)
        for review in reviews
    ]
    amount = flow.money(min(flow.left, state.payment.amount.amount))
    return [*settled, RefundRequested(**parties(state.sale), refund_id=refund_id, amount=amount, reason_id=reason_id)]


def _settle_review(command: SettleReview, state: Existing) -> list[Event] | Refusal:
    review = next((r for r in state.reviews if r.id == command.review_id), None)
    if review is None:
        return Refusal("not_found", "There is no such review.")
    if review.state != "open":
        return Refusal("already_settled", "This review is settled already.")
    settled = PaymentReviewSettled(
        **parties(state.sale), review_id=review.id, outcome=command.outcome, reason_id=command.reason_id
    )
    if command.outcome == "dismiss":
        return [settled]
    if isinstance(state, Paid) and review.direction == "out" and review.key == state.payment.key:
        return _request_refund(RequestRefund(command.refund_id, command.reason_id), state)
    left = left_of(review, state)
    if left is None:
        return NOT_REFUNDABLE
    requested = RefundRequested(
        **parties(state.sale),
        refund_id=command.refund_id,
        review_id=review.id,
        amount=left,
        reason_id=command.reason_id,
    )
    return [settled, requested]


def _confirm_refund(command: ConfirmRefund, state: Existing) -> list[Event]:
    match _refund_under_way(command.refund_id, state):
        case None:
            return []  # told already: by a notification, or by another worker
        case review_id, amount:
            return [
                TransactionRefunded(
                    **parties(state.sale),
                    refund_id=command.refund_id,
                    review_id=review_id,
                    amount=amount,
                    provider_refund_id=command.provider_refund_id,
                )
            ]


def _refuse_refund(command: RefuseRefund, state: Existing) -> list[Event]:
    match _refund_under_way(command.refund_id, state):
        case None:
            return []
        case review_id, _:
            return [
                RefundFailed(**parties(state.sale), refund_id=command.refund_id, review_id=review_id, code=command.code)
            ]


def _refund_under_way(refund_id: UUID, state: Existing) -> tuple[UUID | None, Money] | None:
    """The refund that waits for the provider's word, with the review it belongs to, if any."""
    if isinstance(state, Paid) and state.refund and state.refund.id == refund_id:
        return (None, state.refund.amount) if state.refund.status == "requested" else None
    for review in state.reviews:
        if review.refund_id == refund_id and review.state == "refunding":
            flow = flow_of(state.flows, review.key)
            asked = next((u for u in flow.under_way if u.refund_id == refund_id), None) if flow else None
            return (review.id, flow.money(asked.amount)) if flow and asked else None
    return None


def _wrong_status(state: Existing) -> Refusal:
    status = STATUS[type(state)]
    return Refusal("wrong_status", f"That is not possible for a Transaction that is {status}.", status)
