"""What providers report, in every order (P4, F70 to F75), and how reviews are settled."""

from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from services.checkout.tests.given import (
    AWAITING,
    EVERY_STATUS,
    NOON,
    OTHER,
    PARTIES,
    PRICE,
    REASON,
    REFUND,
    WHEN_CANCELED,
    WHEN_EXPIRED,
    WHEN_PAID,
    WHEN_REFUND_FAILED,
    WHEN_REFUNDED,
    WHEN_REFUNDING,
    after,
    code_of,
    happened,
    report,
    types,
    when,
)

from booking_contracts.event import Event
from booking_contracts.money import Money
from booking_contracts.transactions import (
    PaymentDeclined,
    PaymentNeedsReview,
    RefundRequested,
    TransactionPaid,
    TransactionRefunded,
)
from checkout.transactions.commands import ConfirmRefund, RefuseRefund, ReportPayment, RequestRefund, SettleReview
from checkout.transactions.decider import decide
from checkout.transactions.state import STATUS, Absent, Existing, Paid, Refunded, State, evolve, fold

HALF = Money(125_000, "IDR")
DOLLARS = Money(250_000, "USD")


def play(state: State, reports: list[ReportPayment]) -> tuple[State, list[Event]]:
    """Report one after another, as the service does."""
    told: list[Event] = []
    for one in reports:
        events = decide(one, state)
        assert isinstance(events, list)
        for event in events:
            state = evolve(state, event, NOON)
        told += events
    return state, told


def _existing(state: State) -> Existing:
    assert not isinstance(state, Absent)
    return state


def picture(state: State) -> object:
    """What is left in the end, without the new ids."""
    assert not isinstance(state, Absent)
    reviews = sorted(
        (r.payment_id, r.received.amount, r.received.currency, r.state) for r in state.reviews if r.direction == "in"
    )
    assert all(r.state != "open" for r in state.reviews if r.direction == "out")
    return STATUS[type(state)], reviews, getattr(getattr(state, "refund", None), "status", None)


class TestEveryOrder:
    """F74: whatever arrives first, the highest of pending < failed < paid < refunded wins."""

    @pytest.mark.parametrize(
        ("given", "payment"),
        [
            (g, p)
            for g in (AWAITING, WHEN_EXPIRED, WHEN_CANCELED, WHEN_PAID)
            for p in ("p1", "p2")
            if (g, p) != (WHEN_PAID, "p1")
        ],
    )
    @pytest.mark.parametrize("amount", [PRICE, HALF, DOLLARS])
    def test_every_order_of_reports__ends_the_same(self, given: tuple, payment: str, amount: Money) -> None:
        reports = [report(s, amount, payment=payment) for s in ("pending", "failed", "paid", "refunded", "paid")]
        ends = {repr(picture(play(after(*given), list(order))[0])) for order in permutations(reports)}
        assert len(ends) == 1

    def test_awaiting__refunded_first_appends_paid_and_refunded_together(self) -> None:
        assert types(happened(report("refunded"), *AWAITING)) == ["TransactionPaid", "TransactionRefunded"]

    def test_two_payments__whichever_is_first_pays_and_the_other_needs_a_review(self) -> None:
        for order in permutations([report("paid", payment="p1"), report("paid", payment="p2")]):
            state, told = play(after(*AWAITING), list(order))
            assert types(told) == ["TransactionPaid", "PaymentNeedsReview"]
            assert isinstance(state, Paid)
            assert state.payment.payment_id == order[0].payment_id

    def test_wrong_amount_and_right_one_of_one_payment__paid_and_a_review_in_either_order(self) -> None:
        for order in permutations([report("paid", HALF), report("paid", PRICE)]):
            state, _ = play(after(*AWAITING), list(order))
            assert picture(state) == ("paid", [("p1", HALF.amount, "IDR", "open")], None)


class TestDeclined:
    @pytest.mark.parametrize("status", ["failed", "denied"])
    def test_awaiting__is_told_once_for_each_payment_and_may_still_be_paid(self, status: str) -> None:
        deny, other = (report(status, payment=payment, declined="deny") for payment in ("p1", "p2"))
        state, told = play(after(*AWAITING), [deny, deny, other, deny])
        assert types(told) == ["PaymentDeclined", "PaymentDeclined"]
        assert (told[0], STATUS[type(_existing(state))]) == (
            PaymentDeclined(**PARTIES, provider="midtrans", provider_payment_id="p1", amount=PRICE, code="deny"),
            "awaiting_payment",
        )
        assert types(play(state, [report("paid", payment="p3")])[1]) == ["TransactionPaid"]

    @pytest.mark.parametrize(
        "given", [events for status, events in EVERY_STATUS.items() if status != "awaiting_payment"]
    )
    def test_elsewhere_in_its_life__nothing_is_told(self, given: tuple) -> None:
        assert "PaymentDeclined" not in types(happened(report("failed", payment="p9", declined="failure"), *given))

    def test_after_its_money_came__a_review_and_no_decline(self) -> None:
        state, _ = play(after(*AWAITING), [report("paid", HALF)])
        assert "PaymentDeclined" not in types(play(state, [report("denied", HALF, declined="deny")])[1])


class TestAwaitingPayment:
    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_pending_or_failed__leaves_it_so(self, status: str) -> None:
        assert happened(report(status), *AWAITING) == []

    def test_paid__the_exact_amount_pays(self) -> None:
        (event,) = happened(report("paid"), *AWAITING)
        assert isinstance(event, TransactionPaid)
        assert (event.amount, event.provider_payment_id, event.paid_at) == (PRICE, "p1", NOON)

    @pytest.mark.parametrize(
        ("said", "settled_at"),
        [
            (timedelta(hours=-1), timedelta(hours=-1)),
            (timedelta(hours=-9), timedelta(hours=-8)),
            (timedelta(hours=1), timedelta(0)),
            (None, timedelta(0)),
        ],
    )
    def test_paid__when_the_provider_says_so_between_sale_and_notification(
        self, said: timedelta | None, settled_at: timedelta
    ) -> None:
        awaiting = fold((event, NOON - timedelta(hours=8)) for event in AWAITING)
        told = decide(report("paid", settled_at=None if said is None else NOON + said), awaiting)
        assert isinstance(told, list)
        (event,) = told
        assert isinstance(event, TransactionPaid)
        assert (event.settled_at, event.paid_at) == (NOON + settled_at, NOON)

    @pytest.mark.parametrize(
        ("amount", "cause"),
        [(HALF, "wrong_amount"), (Money(250_001, "IDR"), "wrong_amount"), (DOLLARS, "wrong_currency")],
    )
    def test_paid__another_amount_or_currency_needs_a_review(self, amount: Money, cause: str) -> None:
        """F75."""
        (event,) = happened(report("paid", amount), *AWAITING)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.received, event.expected, event.cause) == (amount, PRICE, cause)

    def test_paid__an_amount_finer_than_the_currency_never_pays(self) -> None:
        """F75: 250000.50 is not 250000."""
        assert types(happened(report("paid", exact=False), *AWAITING)) == ["PaymentNeedsReview"]

    def test_paid__a_payment_that_counted_elsewhere_never_pays_twice(self) -> None:
        """I10."""
        (event,) = happened(report("paid", elsewhere=True), *AWAITING)
        assert isinstance(event, PaymentNeedsReview)
        assert event.cause == "second_payment"

    def test_reviewed__the_right_amount_still_pays(self) -> None:
        given = (*AWAITING, *happened(report("paid", HALF), *AWAITING))
        assert types(happened(report("paid", payment="p2"), *given)) == ["TransactionPaid"]


class TestPaid:
    @pytest.mark.parametrize("status", ["pending", "paid"])
    @pytest.mark.parametrize("given", [WHEN_PAID, WHEN_REFUNDING, WHEN_REFUND_FAILED, WHEN_REFUNDED])
    def test_a_repeat_or_lower_status__changes_nothing(self, status: str, given: tuple) -> None:
        """F70, F71: keyed by the payment, whatever the notification's id."""
        assert happened(report(status), *given) == []

    def test_a_second_payment__needs_a_review(self) -> None:
        (event,) = happened(report("paid", payment="p2"), *WHEN_PAID)
        assert isinstance(event, PaymentNeedsReview)
        assert event.cause == "second_payment"

    def test_refunded_by_the_provider__without_being_asked(self) -> None:
        """P5."""
        (event,) = happened(report("refunded"), *WHEN_PAID)
        assert isinstance(event, TransactionRefunded)
        assert event.review_id is None

    def test_refunded__settles_the_refund_that_was_asked_for(self) -> None:
        (event,) = happened(report("refunded"), *WHEN_REFUNDING)
        assert isinstance(event, TransactionRefunded)
        assert event.refund_id == REFUND

    def test_refunded__after_a_failed_refund_is_a_new_one(self) -> None:
        (event,) = happened(report("refunded"), *WHEN_REFUND_FAILED)
        assert isinstance(event, TransactionRefunded)
        assert event.refund_id != REFUND

    @pytest.mark.parametrize(
        "told", [report("refunded", HALF), report("refunded", PRICE, returned=HALF)], ids=["part alone", "part of all"]
    )
    def test_a_part_returned__stays_paid_and_an_admin_looks(self, told: ReportPayment) -> None:
        (event,) = happened(told, *WHEN_PAID)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.direction, event.received, event.returned) == ("out", PRICE, HALF)
        assert happened(told, *WHEN_PAID, event) == []

    @pytest.mark.parametrize("given", [WHEN_PAID, WHEN_REFUND_FAILED])
    @pytest.mark.parametrize("status", ["voided", "denied"])
    def test_taken_back__all_of_it_is_refunded(self, status: str, given: tuple) -> None:
        """P5: the provider began it."""
        (event,) = happened(report(status), *given)
        assert isinstance(event, TransactionRefunded)
        assert (event.amount, event.review_id) == (PRICE, None)
        assert happened(report(status), *given, event) == []

    def test_refunding__what_was_taken_back_is_that_refund(self) -> None:
        (event,) = happened(report("voided"), *WHEN_REFUNDING)
        assert isinstance(event, TransactionRefunded)
        assert event.refund_id == REFUND

    def test_failed_after_paid__contradicts_it_and_an_admin_looks(self) -> None:
        (event,) = happened(report("failed"), *WHEN_PAID)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.direction, event.received, event.refundable) == ("out", PRICE, False)
        assert happened(report("failed"), *WHEN_PAID, event) == []
        assert code_of(when(RequestRefund(OTHER, REASON), *WHEN_PAID, event)) == "not_refundable"

    def test_failed_after_refunded__changes_nothing(self) -> None:
        assert happened(report("failed"), *WHEN_REFUNDED) == []

    def test_a_part_returned_before_paid_is_known__both_are_kept(self) -> None:
        told = happened(report("refunded", PRICE, returned=HALF), *AWAITING)
        assert types(told) == ["TransactionPaid", "PaymentNeedsReview"]


@pytest.mark.parametrize(("given", "cause"), [(WHEN_EXPIRED, "after_expiry"), (WHEN_CANCELED, "after_cancel")])
class TestTooLate:
    """F73: money for a dead Transaction becomes a review; it never revives it."""

    def test_paid__needs_a_review(self, given: tuple, cause: str) -> None:
        (event,) = happened(report("paid"), *given)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.cause, event.received) == (cause, PRICE)

    def test_paid_twice__one_review(self, given: tuple, cause: str) -> None:
        assert happened(report("paid"), *given, *happened(report("paid"), *given)) == []

    def test_denied_is_heard_first__nobody_knows_whether_it_is_here(self, given: tuple, cause: str) -> None:
        (event,) = happened(report("paid", denied=True), *given)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.cause, event.refundable) == (cause, False)

    def test_refunded__the_review_is_settled_with_it(self, given: tuple, cause: str) -> None:
        told = types(happened(report("refunded"), *given))
        assert told == ["PaymentNeedsReview", "PaymentReviewSettled", "TransactionRefunded"]


class TestReviews:
    """P4: an admin settles; P5: a reviewed refund touches neither status nor the sale's own refund."""

    def given(self) -> tuple[tuple[Event, ...], UUID]:
        told = happened(report("paid", payment="p2"), *WHEN_PAID)
        assert isinstance(told[0], PaymentNeedsReview)
        return (*WHEN_PAID, *told), told[0].review_id

    def settle(self, review: UUID, outcome: str) -> SettleReview:
        return SettleReview(review, outcome, REASON, REFUND)  # pyright: ignore[reportArgumentType]

    def test_dismissed(self) -> None:
        given, review = self.given()
        assert types(happened(self.settle(review, "dismiss"), *given)) == ["PaymentReviewSettled"]

    def test_refunded__its_money_only(self) -> None:
        given, review = self.given()
        _, requested = happened(self.settle(review, "refund"), *given)
        assert isinstance(requested, RefundRequested)
        assert (requested.review_id, requested.amount) == (review, PRICE)

    def test_refund_of_reviewed_money__leaves_the_sale_alone(self) -> None:
        given, review = self.given()
        given = (*given, *happened(self.settle(review, "refund"), *given))
        given = (*given, *happened(ConfirmRefund(REFUND, None), *given))
        state = after(*given)
        assert isinstance(state, Paid)
        assert state.refund is None
        assert [r.state for r in state.reviews] == ["refunded"]

    @pytest.mark.parametrize("outcome", ["refund", "dismiss"])
    def test_settled__once(self, outcome: str) -> None:
        given, review = self.given()
        given = (*given, *happened(self.settle(review, outcome), *given))
        assert code_of(when(self.settle(review, "refund"), *given)) == "already_settled"

    def test_the_providers_no__opens_it_again(self) -> None:
        """P5: admins may try again."""
        given, review = self.given()
        given = (*given, *happened(self.settle(review, "refund"), *given))
        given = (*given, *happened(RefuseRefund(REFUND, "412"), *given))
        again = SettleReview(review, "refund", REASON, OTHER)
        assert types(happened(again, *given)) == ["PaymentReviewSettled", "RefundRequested"]

    def test_refunding__the_providers_notification_settles_it(self) -> None:
        given, review = self.given()
        given = (*given, *happened(self.settle(review, "refund"), *given))
        (event,) = happened(report("refunded", payment="p2"), *given)
        assert isinstance(event, TransactionRefunded)
        assert (event.refund_id, event.review_id) == (REFUND, review)

    def test_money_out__the_rest_is_the_sales_own_refund(self) -> None:
        """P5: what came in minus what went out, and the right to a session goes with it."""
        given = (*WHEN_PAID, *happened(report("refunded", PRICE, returned=Money(100_000, "IDR")), *WHEN_PAID))
        (review,) = _existing(after(*given)).reviews
        settled, requested = happened(self.settle(review.id, "refund"), *given)
        assert isinstance(requested, RefundRequested)
        assert (requested.amount, requested.review_id) == (Money(150_000, "IDR"), None)
        done = after(*given, settled, requested, *happened(ConfirmRefund(REFUND, None), *given, settled, requested))
        assert isinstance(done, Refunded)
        assert [flow.rest for flow in done.flows] == [0]

    def test_money_out__the_sales_refund_settles_it(self) -> None:
        given = (*WHEN_PAID, *happened(report("refunded", PRICE, returned=HALF), *WHEN_PAID))
        told = happened(RequestRefund(OTHER, REASON), *given)
        assert types(told) == ["PaymentReviewSettled", "RefundRequested"]

    def test_another_part_went_while_the_rest_is_asked_for__an_admin_looks_again(self) -> None:
        """The review that was settled by asking for the rest stays settled, whatever becomes of that refund."""
        given = (*WHEN_PAID, *happened(report("refunded", PRICE, returned=HALF), *WHEN_PAID))
        given = (*given, *happened(RequestRefund(OTHER, REASON), *given))
        (event,) = happened(report("partly_refunded"), *given)
        assert isinstance(event, PaymentNeedsReview)
        assert [r.state for r in _existing(after(*given, event)).reviews] == ["refunding", "open"]

    def test_part_of_reviewed_money_returned__only_the_rest_can_be_given_back(self) -> None:
        given, review = self.given()
        given = (*given, *happened(report("refunded", PRICE, payment="p2", returned=HALF), *given))
        (known,) = _existing(after(*given)).reviews
        assert (known.id, known.direction, known.received, known.returned) == (review, "out", PRICE, HALF)
        _, requested = happened(self.settle(review, "refund"), *given)
        assert isinstance(requested, RefundRequested)
        assert requested.amount == HALF

    def test_part_returned_after_a_dismissal__is_a_new_review(self) -> None:
        given, review = self.given()
        given = (*given, *happened(self.settle(review, "dismiss"), *given))
        (event,) = happened(report("refunded", PRICE, payment="p2", returned=HALF), *given)
        assert isinstance(event, PaymentNeedsReview)
        assert (event.review_id == review, event.direction) == (False, "out")

    def test_two_amounts_of_one_payment__together_never_more_than_came(self) -> None:
        """The price is the sale's: a second amount of the same payment can't be given back beside it."""
        given = (*WHEN_PAID, *happened(report("paid", HALF), *WHEN_PAID))
        (review,) = _existing(after(*given)).reviews
        assert code_of(when(self.settle(review.id, "refund"), *given)) == "not_refundable"

    def test_counted_elsewhere__nothing_can_be_given_back_here(self) -> None:
        given = (*AWAITING, *happened(report("paid", elsewhere=True), *AWAITING))
        (review,) = _existing(after(*given)).reviews
        assert code_of(when(self.settle(review.id, "refund"), *given)) == "not_refundable"
        assert types(happened(self.settle(review.id, "dismiss"), *given)) == ["PaymentReviewSettled"]

    def test_unknown__not_found(self) -> None:
        assert code_of(when(self.settle(OTHER, "dismiss"), *WHEN_PAID)) == "not_found"

    @pytest.mark.parametrize("status", EVERY_STATUS)
    def test_every_status__reviews_can_be_settled(self, status: str) -> None:
        given = EVERY_STATUS[status]
        told = happened(report("paid", HALF, payment="p9"), *given)
        assert isinstance(told[0], PaymentNeedsReview)
        assert happened(self.settle(told[0].review_id, "refund"), *given, *told)


def test_refunded__stays_so_whatever_comes() -> None:
    state, _ = play(after(*WHEN_REFUNDED), [report("paid"), report("refunded"), report("failed")])
    assert isinstance(state, Refunded)
    assert state.reviews == ()
