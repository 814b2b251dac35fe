"""Midtrans' state cycle, cell by cell: for every pair of words, in the order heard, where the money is (P4)."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from services.checkout.tests.given import PRICE, types
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.one_sale import OneSale

from checkout.payments.midtrans import CYCLE, FRAUD, table
from checkout.transactions.state import left_of

REFERENCE = "0198d2a0-1111-7000-8000-000000000001"
DECLINES = ("deny", "failure")
PAGE = Path(__file__).parents[4] / "docs" / "api.md"


def say(status: str, **more: Any) -> dict[str, Any]:
    return MidtransServer().notification(REFERENCE, status, **more)


def expected(first: str, second: str) -> tuple[str, int]:
    """The Transaction's status and the number of open reviews, from the table alone."""
    words = (first, second)
    if not any(CYCLE[word].money_in for word in words):
        return "awaiting_payment", 0
    # A denial takes back what came before it. One before the money may be late, or another try: an admin looks.
    if any(CYCLE[word].money_out == "all that came" for word in words if word != "deny") or second == "deny":
        return "refunded", 0
    part = any(CYCLE[word].money_out.startswith("refund_amount") for word in words)
    return "paid", int(part or first == "deny" or CYCLE[second].means == "failed")


@pytest.mark.parametrize(("first", "second"), list(product(CYCLE, CYCLE)))
def test_every_cell__what_came_minus_what_went_is_in_the_state_or_under_review(first: str, second: str) -> None:
    """F73, F74."""
    sale = OneSale()
    for status in (first, second, first, second):  # and once more: repeats change nothing
        sale.hear(say(status))
        if status == second:
            assert (sale.status, len(sale.open)) == expected(first, second)
    assert types(sale.told).count("TransactionPaid") <= 1
    declined = first in DECLINES or (second in DECLINES and not CYCLE[first].money_in)
    assert types(sale.told).count("PaymentDeclined") == int(declined)
    assert all(left_of(review, sale.state) is None for review in sale.open), "nobody said how much went back"
    if sale.status != "paid":
        assert sale.rest == 0


@pytest.mark.parametrize("status", CYCLE)
def test_every_status__is_told_to_follow_only_what_the_table_knows(status: str) -> None:
    assert CYCLE[status].next <= set(CYCLE)


class TestFraud:
    """`capture` is money only when fraud detection accepts it."""

    @pytest.mark.parametrize(
        ("heard", "status"),
        [
            (["challenge"], "awaiting_payment"),
            (["deny"], "awaiting_payment"),
            (["accept"], "paid"),
            (["challenge", "accept"], "paid"),
            (["challenge", "deny"], "awaiting_payment"),
            (["accept", "deny"], "refunded"),
        ],
    )
    def test_capture(self, heard: list[str], status: str) -> None:
        sale = OneSale()
        for fraud in heard:
            sale.hear(say("capture", fraud_status=fraud))
        assert (sale.status, sale.open) == (status, [])

    def test_challenged_then_canceled__nothing_came(self) -> None:
        sale = OneSale()
        sale.hear(say("capture", fraud_status="challenge"))
        sale.hear(say("cancel"))
        assert (sale.status, sale.told) == ("awaiting_payment", [])

    def test_a_word_that_the_documentation_knows_not__is_never_money(self) -> None:
        from checkout.payments.midtrans import meaning

        assert {meaning("capture", word) for word in ("Accept", "review", "ok")} == {None}
        assert meaning("settlement", "") == "paid"
        assert set(FRAUD) == {"accept", "challenge", "deny"}


class TestCardRetry:
    def test_denied_card_then_another__is_paid_and_nobody_need_look(self) -> None:
        sale = OneSale()
        sale.hear(say("deny", payment_type="credit_card"))
        sale.hear(say("capture", payment_type="credit_card"))
        assert (sale.status, sale.open) == ("paid", [])


class TestParts:
    """Amounts of parts: `refund_amount` is the sum so far, and so is the sum of `refunds`."""

    def test_the_sum_so_far__highest_wins_in_any_order(self) -> None:
        for order in (("100000.00", "150000.00"), ("150000.00", "100000.00")):
            sale = OneSale()
            for amount in order:
                sale.hear(say("partial_refund", refund_amount=amount))
            (review,) = sale.open
            assert (sale.status, review.received, review.direction) == ("paid", PRICE, "out")
            assert sale.rest == 100_000
            left = left_of(review, sale.state)
            assert left is not None
            assert left.amount == 100_000

    def test_parts_that_add_up_to_the_whole__refunded(self) -> None:
        sale = OneSale()
        for amount in ("100000.00", "250000.00"):
            sale.hear(say("partial_refund", refund_amount=amount))
        assert (sale.status, sale.open, sale.rest) == ("refunded", [], 0)

    def test_the_list_alone__is_added_up(self) -> None:
        sale = OneSale()
        parts = [{"refund_amount": "100000.00", "refund_key": "a"}, {"refund_amount": "50000.00", "refund_key": "b"}]
        sale.hear(say("partial_refund", refunds=parts))
        assert sale.rest == 100_000

    @pytest.mark.parametrize("amount", [None, "", "much", "-5.00", "0.00", 100000, [], {"a": 1}])
    @pytest.mark.parametrize("status", ["partial_refund", "partial_chargeback"])
    def test_no_amount__an_admin_looks_and_nothing_can_be_given_back(self, status: str, amount: Any) -> None:
        """What is no amount is as none: how much is left is unknown."""
        sale = OneSale()
        sale.hear(say("settlement"))
        sale.hear(say(status, refund_amount=amount))
        (review,) = sale.open
        assert (sale.status, review.direction, left_of(review, sale.state)) == ("paid", "out", None)

    def test_unknown_then_known__stays_unknown(self) -> None:
        """The known sum may be the older one."""
        sale = OneSale()
        sale.hear(say("partial_refund"))
        sale.hear(say("partial_refund", refund_amount="100000.00"))
        (review,) = sale.open
        assert left_of(review, sale.state) is None

    def test_refund_that_says_less_than_all__is_a_part(self) -> None:
        sale = OneSale()
        sale.hear(say("refund", refund_amount="100000.00"))
        assert (sale.status, sale.rest, len(sale.open)) == ("paid", 150_000, 1)

    def test_another_gross_amount_with_a_part_returned__never_pays_afterwards(self) -> None:
        """After money of a payment went back it pays no more: no `TransactionPaid` behind a `TransactionRefunded`."""
        sale = OneSale()
        sale.hear(say("settlement", gross_amount="100000.00"))
        sale.hear(say("refund", gross_amount="100000.00"))
        assert (sale.status, sale.open) == ("awaiting_payment", [])
        sale.hear(say("partial_refund", refund_amount="100000.00"))
        assert sale.status == "awaiting_payment"
        assert "TransactionPaid" not in types(sale.told)
        (review,) = sale.open
        left = left_of(review, sale.state)
        assert left is not None
        assert left.amount == 150_000


def test_the_page__shows_this_very_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
