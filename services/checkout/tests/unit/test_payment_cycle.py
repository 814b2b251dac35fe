"""Midtrans' state cycle, cell by cell: for every pair of words, in the order heard, where the money is (P4)."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from services.checkout.tests.desk import Desk
from services.checkout.tests.given import PRICE, types
from services.checkout.tests.midtrans_server import MidtransServer

from checkout.payments.cycle import CYCLE, FRAUD, table
from checkout.transactions.state import left_of

REFERENCE = "0198d2a0-1111-7000-8000-000000000001"
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
    desk = Desk()
    for status in (first, second, first, second):  # and once more: repeats change nothing
        desk.hear(say(status))
        if status == second:
            assert (desk.status, len(desk.open)) == expected(first, second)
    assert types(desk.told).count("TransactionPaid") <= 1
    assert all(left_of(review, desk.state) is None for review in desk.open), "nobody said how much went back"
    if desk.status != "paid":
        assert desk.rest == 0


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
        desk = Desk()
        for fraud in heard:
            desk.hear(say("capture", fraud_status=fraud))
        assert (desk.status, desk.open) == (status, [])

    def test_challenged_then_canceled__nothing_came(self) -> None:
        desk = Desk()
        desk.hear(say("capture", fraud_status="challenge"))
        desk.hear(say("cancel"))
        assert (desk.status, desk.told) == ("awaiting_payment", [])

    def test_a_word_that_the_documentation_knows_not__is_never_money(self) -> None:
        from checkout.payments.cycle import meaning

        assert {meaning("capture", word) for word in ("Accept", "review", "ok")} == {None}
        assert meaning("settlement", "") == "paid"
        assert set(FRAUD) == {"accept", "challenge", "deny"}


class TestCardRetry:
    def test_denied_card_then_another__is_paid_and_nobody_need_look(self) -> None:
        desk = Desk()
        desk.hear(say("deny", payment_type="credit_card"))
        desk.hear(say("capture", payment_type="credit_card"))
        assert (desk.status, desk.open) == ("paid", [])


class TestParts:
    """Amounts of parts: `refund_amount` is the sum so far, and so is the sum of `refunds`."""

    def test_the_sum_so_far__highest_wins_in_any_order(self) -> None:
        for order in (("100000.00", "150000.00"), ("150000.00", "100000.00")):
            desk = Desk()
            for amount in order:
                desk.hear(say("partial_refund", refund_amount=amount))
            (review,) = desk.open
            assert (desk.status, review.received, review.direction) == ("paid", PRICE, "out")
            assert desk.rest == 100_000
            left = left_of(review, desk.state)
            assert left is not None
            assert left.amount == 100_000

    def test_parts_that_add_up_to_the_whole__refunded(self) -> None:
        desk = Desk()
        for amount in ("100000.00", "250000.00"):
            desk.hear(say("partial_refund", refund_amount=amount))
        assert (desk.status, desk.open, desk.rest) == ("refunded", [], 0)

    def test_the_list_alone__is_added_up(self) -> None:
        desk = Desk()
        parts = [{"refund_amount": "100000.00", "refund_key": "a"}, {"refund_amount": "50000.00", "refund_key": "b"}]
        desk.hear(say("partial_refund", refunds=parts))
        assert desk.rest == 100_000

    @pytest.mark.parametrize("amount", [None, "", "much", "-5.00", "0.00", 100000, [], {"a": 1}])
    @pytest.mark.parametrize("status", ["partial_refund", "partial_chargeback"])
    def test_no_amount__an_admin_looks_and_nothing_can_be_given_back(self, status: str, amount: Any) -> None:
        """What is no amount is as none: how much is left is unknown."""
        desk = Desk()
        desk.hear(say("settlement"))
        desk.hear(say(status, refund_amount=amount))
        (review,) = desk.open
        assert (desk.status, review.direction, left_of(review, desk.state)) == ("paid", "out", None)

    def test_unknown_then_known__stays_unknown(self) -> None:
        """The known sum may be the older one."""
        desk = Desk()
        desk.hear(say("partial_refund"))
        desk.hear(say("partial_refund", refund_amount="100000.00"))
        (review,) = desk.open
        assert left_of(review, desk.state) is None

    def test_refund_that_says_less_than_all__is_a_part(self) -> None:
        desk = Desk()
        desk.hear(say("refund", refund_amount="100000.00"))
        assert (desk.status, desk.rest, len(desk.open)) == ("paid", 150_000, 1)

    def test_another_gross_amount_with_a_part_returned__never_pays_afterwards(self) -> None:
        """After money of a payment went back it pays no more: no `TransactionPaid` behind a `TransactionRefunded`."""
        desk = Desk()
        desk.hear(say("settlement", gross_amount="100000.00"))
        desk.hear(say("refund", gross_amount="100000.00"))
        assert (desk.status, desk.open) == ("awaiting_payment", [])
        desk.hear(say("partial_refund", refund_amount="100000.00"))
        assert desk.status == "awaiting_payment"
        assert "TransactionPaid" not in types(desk.told)
        (review,) = desk.open
        left = left_of(review, desk.state)
        assert left is not None
        assert left.amount == 150_000


def test_the_page__shows_this_very_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
