"""What a provider's word does to a Transaction (P4): pay it, refund it, or become a review; it is never dropped.

Reports arrive twice and in any order. Per payment id the highest of pending < failed < paid < refunded wins: the two
lower ones leave no event; `refunded` first is decided as `paid` and then as `refunded`, so every order of the same
reports ends in the same events (test_every_order_of_reports__ends_the_same).
"""

from __future__ import annotations

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    PaymentNeedsReview,
    PaymentReviewSettled,
    ReviewCause,
    TransactionPaid,
    TransactionRefunded,
)
from checkout.transaction.commands import ReportPayment
from checkout.transaction.parties import parties
from checkout.transaction.state import (
    AwaitingPayment,
    Canceled,
    Existing,
    Expired,
    Paid,
    Payment,
    Refunded,
    Review,
    fold,
)


def report_payment(report: ReportPayment, state: Existing) -> list[Event]:
    """Return the events of one verified report; none when nothing is new."""
    if report.status in ("pending", "failed"):
        return []
    arrived = _arrived(report, state)
    if report.status == "paid":
        return arrived
    after = fold([(event, report.at) for event in arrived], state)
    if isinstance(after, Existing):
        return [*arrived, *_returned(report, after)]
    raise AssertionError("a Transaction never ceases to exist")


def _arrived(report: ReportPayment, state: Existing) -> list[Event]:
    """The money is here: it pays, or it needs a review."""
    if _counted(report, report.amount, state) or _is_part_of_the_payment_returned(report, state):
        return []
    if (
        isinstance(state, AwaitingPayment)
        and report.exact
        and not report.elsewhere
        and report.amount == state.sale.price
    ):
        return [_paid(report, state)]
    return [_review(report, report.amount, _cause(report, state), state)]


def _paid(report: ReportPayment, state: AwaitingPayment) -> TransactionPaid:
    sale = state.sale
    return TransactionPaid(
        **parties(sale),
        amount=report.amount,
        provider=report.provider,
        provider_payment_id=report.payment_id,
        paid_at=report.at,
        kind=sale.product.kind,
        request_limit_minutes=sale.request_limit_minutes,
        auto_start=sale.auto_start,
    )


def _cause(report: ReportPayment, state: Existing) -> ReviewCause:
    match state:
        case Expired():
            return "after_expiry"
        case Canceled():
            return "after_cancel"
        case Paid() | Refunded():
            return "wrong_amount" if _is_the_payment(report, state.payment) else "second_payment"
        case AwaitingPayment():
            if report.elsewhere:
                return "second_payment"
            return "wrong_currency" if report.amount.currency != state.sale.price.currency else "wrong_amount"


def _returned(report: ReportPayment, state: Existing) -> list[Event]:
    """The provider gave money back, by itself or as we asked."""
    amount = report.returned or report.amount
    if isinstance(state, Paid | Refunded) and _is_the_payment(report, state.payment):
        return _payment_returned(report, amount, state)
    review = _review_of(report, report.amount, state)
    if review is None or review.state == "refunded" or amount != review.received:
        return []  # part of reviewed money: its review is still open, or was settled by an admin
    return _reviewed_money_returned(report, review, state)


def _payment_returned(report: ReportPayment, amount: Money, state: Paid | Refunded) -> list[Event]:
    if isinstance(state, Refunded):
        return []
    if amount != state.payment.amount:
        # A part of the price: neither paid nor refunded, so an admin must look at it.
        known = _review_of(report, amount, state)
        return [] if known else [_review(report, amount, "wrong_amount", state, second=bool(report.returned))]
    asked = state.refund is not None and state.refund.status == "requested"
    refund_id = state.refund.id if state.refund and asked else report.ids.refund
    return [
        TransactionRefunded(
            **parties(state.sale),
            refund_id=refund_id,
            amount=amount,
            provider_refund_id=report.provider_refund_id,
        )
    ]


def _reviewed_money_returned(report: ReportPayment, review: Review, state: Existing) -> list[Event]:
    refund_id = review.refund_id if review.state == "refunding" and review.refund_id else report.ids.refund
    refunded = TransactionRefunded(
        **parties(state.sale),
        refund_id=refund_id,
        review_id=review.id,
        amount=review.received,
        provider_refund_id=report.provider_refund_id,
    )
    if review.state != "open":
        return [refunded]
    settled = PaymentReviewSettled(
        **parties(state.sale), review_id=review.id, outcome="refund", reason_id=report.ids.reason
    )
    return [settled, refunded]


def _review(
    report: ReportPayment, received: Money, cause: ReviewCause, state: Existing, *, second: bool = False
) -> PaymentNeedsReview:
    return PaymentNeedsReview(
        **parties(state.sale),
        review_id=report.ids.second_review if second else report.ids.review,
        provider=report.provider,
        provider_payment_id=report.payment_id,
        received=received,
        expected=state.sale.price,
        cause=cause,
    )


def _counted(report: ReportPayment, amount: Money, state: Existing) -> bool:
    """Whether this payment's money is in the stream already, as the payment or in a review."""
    if isinstance(state, Paid | Refunded) and _is_the_payment(report, state.payment) and amount == state.payment.amount:
        return True
    return _review_of(report, amount, state) is not None


def _is_part_of_the_payment_returned(report: ReportPayment, state: Existing) -> bool:
    """`refunded` with another amount than was paid, by a provider that tells only what went back: nothing arrived."""
    return report.status == "refunded" and isinstance(state, Paid | Refunded) and _is_the_payment(report, state.payment)


def _is_the_payment(report: ReportPayment, payment: Payment) -> bool:
    return (report.provider, report.payment_id) == (payment.provider, payment.payment_id)


def _review_of(report: ReportPayment, amount: Money, state: Existing) -> Review | None:
    wanted = (report.provider, report.payment_id, amount)
    return next((r for r in state.reviews if (r.provider, r.payment_id, r.received) == wanted), None)
