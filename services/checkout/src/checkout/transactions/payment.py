"""What a provider's word does to a Transaction (P4): pay it, refund it, or become a review; it is never dropped.

Reports arrive twice and in any order. Whatever the order, what came in minus what went out (`state.py`) is in the
Transaction's state or in an open review. `refunded` first is decided as `paid` and then as `refunded`. Money that a
provider takes back after it paid (`voided`, `denied`) has gone back whole; `failed` after `paid` contradicts itself and
is an admin's to look at. A payment of which money went back never pays any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    MoneyDirection,
    PaymentDeclined,
    PaymentNeedsReview,
    PaymentReviewSettled,
    ReviewCause,
    TransactionPaid,
    TransactionRefunded,
)
from checkout.transactions.commands import ReportPayment
from checkout.transactions.state import (
    AwaitingPayment,
    Canceled,
    Existing,
    Expired,
    Flow,
    Key,
    Paid,
    Refunded,
    Review,
    Sale,
    UnderWay,
    evolve,
    flow_of,
    key_of,
    parties,
)


def report_payment(report: ReportPayment, state: Existing) -> list[Event]:
    """Return the events of one verified report; none when nothing is new."""
    telling = _Telling(report, state)
    match report.status:
        case "pending":
            pass
        case "failed":
            _contradiction(telling)
            _declined(telling)
        case "denied" | "voided":
            _all_gone(telling)
            _declined(telling)
        case "paid":
            _arrived(telling, returning=False)
            if report.voided:
                _all_gone(telling)
            elif report.denied:
                _contradiction(telling)
        case "partly_refunded" | "refunded":
            _arrived(telling, returning=True)
            _gone(telling)
    return telling.events


@dataclass(slots=True)
class _Telling:
    """The events so far and the state after them."""

    report: ReportPayment
    state: Existing
    events: list[Event] = field(default_factory=list[Event])

    def tell(self, event: Event) -> None:
        after = evolve(self.state, event, self.report.at)
        assert isinstance(after, Existing)  # a Transaction never ceases to exist
        self.state = after
        self.events.append(event)

    @property
    def flow(self) -> Flow | None:
        """The money that the report is about, as known; one without an amount is about whatever came."""
        report = self.report
        if report.amount is not None and report.status not in ("failed", "denied", "voided"):
            return flow_of(self.state.flows, key_of(report.provider, report.payment_id, report.amount))
        payment = (report.provider, report.payment_id)
        return next((flow for flow in self.state.flows if flow.key[:2] == payment), None)

    @property
    def pays(self) -> bool:
        """Whether this payment is the one that paid the sale, and the sale is still paid."""
        return isinstance(self.state, Paid) and self.flow is not None and self.state.payment.key == self.flow.key

    def reviews(self, key: Key, *states: str) -> list[Review]:
        return [review for review in self.state.reviews if review.key == key and review.state in states]


def _arrived(telling: _Telling, *, returning: bool) -> None:
    """The money is here: it pays, or it needs a review. `returning`: told only because something of it went back."""
    report, state, flow = telling.report, telling.state, telling.flow
    amount = report.amount
    if amount is None or _counted(report, amount, state) or (returning and flow and amount.amount <= flow.came):
        return
    untouched = flow is None or (flow.gone == 0 and not flow.under_way)
    if (
        isinstance(state, AwaitingPayment)
        and report.exact
        and not report.elsewhere
        and amount == state.sale.price
        and untouched
    ):
        telling.tell(_paid(report, amount, state))
    else:
        gone = flow.money(flow.gone) if flow and flow.gone else None
        cause = _cause(report, amount, state)
        known = not report.elsewhere and not report.denied
        telling.tell(_review(telling, amount, cause, returned=gone, refundable=known))


def _counted(report: ReportPayment, amount: Money, state: Existing) -> bool:
    """Whether this very amount is in the stream already, as the payment or in a review."""
    payment = (report.provider, report.payment_id, amount)
    if isinstance(state, Paid | Refunded):
        known = state.payment
        if (known.provider, known.payment_id, known.amount) == payment:
            return True
    return any((r.provider, r.payment_id, r.received) == payment for r in state.reviews)


def _paid(report: ReportPayment, amount: Money, state: AwaitingPayment) -> TransactionPaid:
    sale = state.sale
    return TransactionPaid(
        **parties(sale),
        amount=amount,
        provider=report.provider,
        provider_payment_id=report.payment_id,
        paid_at=report.at,
        settled_at=_settled(report, sale),
        kind=sale.product.kind,
        request_limit_minutes=sale.request_limit_minutes,
        auto_start=sale.auto_start,
    )


def _settled(report: ReportPayment, sale: Sale) -> datetime:
    """The provider's time, which nothing signs, within what can be: no sale was paid before it was made, and no money
    came after we heard of it."""
    return max(min(sale.created_at, report.at), min(report.settled_at or report.at, report.at))


def _declined(telling: _Telling) -> None:
    """No money of it came: the member may try again, and analytics learns of it, once for each payment."""
    report, state = telling.report, telling.state
    if not report.declined or not isinstance(state, AwaitingPayment) or telling.flow:
        return
    if (report.provider, report.payment_id) not in state.declined:
        telling.tell(
            PaymentDeclined(
                **parties(state.sale),
                provider=report.provider,
                provider_payment_id=report.payment_id,
                amount=report.amount,
                code=report.declined,
            )
        )


def _cause(report: ReportPayment, amount: Money, state: Existing) -> ReviewCause:
    match state:
        case Expired():
            return "after_expiry"
        case Canceled():
            return "after_cancel"
        case Paid() | Refunded():
            paid = state.payment
            same = (paid.provider, paid.payment_id) == (report.provider, report.payment_id)
            return "wrong_amount" if same else "second_payment"
        case AwaitingPayment():
            if report.elsewhere:
                return "second_payment"
            return "wrong_currency" if amount.currency != state.sale.price.currency else "wrong_amount"


def _gone(telling: _Telling) -> None:
    """The provider gave money back, by itself or as we asked."""
    report, flow = telling.report, telling.flow
    if flow is None:
        return
    so_far = report.returned
    if so_far is None and report.status == "refunded":
        so_far = report.amount
    if report.voided or (so_far is not None and so_far.amount >= flow.came):
        _all_gone(telling)
        return
    for refund in flow.under_way:
        if str(refund.refund_id) in report.refund_ids:
            telling.tell(_refunded(telling, refund, flow.money(refund.amount)))
    _part_gone(telling, so_far)


def _part_gone(telling: _Telling, so_far: Money | None) -> None:
    """A part of the payment went back, None: nobody says how much. An admin must look at what is left."""
    flow = telling.flow
    if flow is None or flow.rest == 0 or (so_far is not None and so_far.amount <= flow.gone):
        return
    asked_for = {refund.review_id for refund in flow.under_way}  # opens again if the provider says no
    known = [r for r in telling.reviews(flow.key, "open", "refunding") if r.state == "open" or r.id in asked_for]
    review = next((r for r in known if r.direction == "out"), None) or (
        None if telling.pays else next(iter(known), None)
    )
    returned = so_far or (flow.money(flow.gone) if flow.gone else None)
    if review is None:
        came = flow.money(flow.came)
        telling.tell(
            _review(
                telling,
                came,
                "wrong_amount",
                direction="out",
                returned=returned,
                refundable=so_far is not None,
                second=bool(telling.events),
            )
        )
        return
    refundable = review.refundable and so_far is not None
    if (review.direction, review.returned, review.refundable) != ("out", returned, refundable):
        telling.tell(_told_again(telling, review, returned, refundable=refundable))


def _contradiction(telling: _Telling) -> None:
    """The provider says of the money that paid the sale that it isn't there: an admin must look."""
    flow = telling.flow
    if flow is None or not telling.pays:
        return
    if any(review.direction == "out" for review in telling.reviews(flow.key, "open")):
        return
    gone = flow.money(flow.gone) if flow.gone else None
    came = flow.money(flow.came)
    second = bool(telling.events)
    telling.tell(
        _review(telling, came, "wrong_amount", direction="out", returned=gone, refundable=False, second=second)
    )


def _all_gone(telling: _Telling) -> None:
    """All of the payment went back: nothing of it is left to settle, and what it paid is refunded."""
    flow = telling.flow
    if flow is None:
        return
    reviews = telling.reviews(flow.key, "open", "refunding", "dismissed")
    for review in reviews:
        if review.state == "open":
            telling.tell(
                PaymentReviewSettled(
                    **parties(telling.state.sale),
                    review_id=review.id,
                    outcome="refund",
                    reason_id=telling.report.ids.reason,
                )
            )
    rest = flow.rest
    for refund in flow.under_way:
        part = min(rest, refund.amount)
        telling.tell(_refunded(telling, refund, flow.money(part)))
        rest -= part
    if not telling.pays and not (rest and reviews):
        return
    by_provider = UnderWay(telling.report.ids.refund, None if telling.pays else reviews[0].id, rest, flow.gone)
    telling.tell(_refunded(telling, by_provider, flow.money(rest)))


def _refunded(telling: _Telling, refund: UnderWay, amount: Money) -> TransactionRefunded:
    return TransactionRefunded(
        **parties(telling.state.sale),
        refund_id=refund.refund_id,
        review_id=refund.review_id,
        amount=amount,
        provider_refund_id=telling.report.provider_refund_id,
    )


def _review(
    telling: _Telling,
    received: Money,
    cause: ReviewCause,
    *,
    direction: MoneyDirection = "in",
    returned: Money | None = None,
    refundable: bool = True,
    second: bool = False,
) -> PaymentNeedsReview:
    report = telling.report
    return PaymentNeedsReview(
        **parties(telling.state.sale),
        review_id=report.ids.second_review if second else report.ids.review,
        provider=report.provider,
        provider_payment_id=report.payment_id,
        received=received,
        expected=telling.state.sale.price,
        cause=cause,
        direction=None if direction == "in" else direction,
        returned=returned,
        refundable=None if refundable else False,
    )


def _told_again(telling: _Telling, review: Review, returned: Money | None, *, refundable: bool) -> PaymentNeedsReview:
    return PaymentNeedsReview(
        **parties(telling.state.sale),
        review_id=review.id,
        provider=review.provider,
        provider_payment_id=review.payment_id,
        received=review.received,
        expected=telling.state.sale.price,
        cause=review.cause,
        direction="out",
        returned=returned,
        refundable=None if refundable else False,
    )
