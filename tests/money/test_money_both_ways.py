"""The provider's stand-in and the payments sale, driven against each other (P4, P5, F74, I10).

The stand-in walks Midtrans' documented cycle; its signed words arrive late, twice, in any order, with and without
amounts, while an admin settles, refunds and dismisses. Whatever the order: no refund gives back more than is here, and
what came minus what went is in the Transaction's state or in an open review.
"""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.checkout.tests.given import NOON, types
from services.checkout.tests.midtrans_server import SERVER_KEY
from services.checkout.tests.one_sale import OneSale

from booking_contracts.ids import uuid7
from booking_standins.midtrans import CANCELABLE, NEXT, OUT, REFUNDABLE, Order
from checkout.payments.midtrans import CYCLE
from checkout.transactions.commands import ConfirmRefund, Expire, RefuseRefund, RequestRefund, SettleReview
from checkout.transactions.state import Paid, Refunded, left_of

REFERENCE = "0198d2a0-1111-7000-8000-000000000001"
GROSS = Decimal("250000.00")
STEPS = ("move", "move", "deliver", "deliver", "repeat", "settle", "dismiss", "refund", "carry", "expire")


def test_the_stand_ins_cycle__is_the_products() -> None:
    for status, step in CYCLE.items():
        assert set(NEXT.get(status, ())) == step.next, status


class Play:
    """Both sides, and the post between them."""

    def __init__(self, choose: Any) -> None:
        self.choose = choose
        self.order = Order(REFERENCE, f"{GROSS}")
        self.sale = OneSale()
        self.post: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.came = False
        self.dismissed = False

    def step(self, name: str) -> None:
        getattr(self, name)()

    def move(self) -> None:
        """The customer or a bank does what may come next."""
        possible = sorted(NEXT.get(self.order.status, ()))
        if not possible:
            return
        status = self.choose(st.sampled_from(possible))
        if status in OUT:
            whole = not status.startswith("partial_")
            left = int(self.order.left)
            if not whole and left < 2:
                return
            amount = left if whole else self.choose(st.integers(1, left - 1))
            self.order.give_back(Decimal(amount), str(uuid4()), chargeback=status.endswith("chargeback"))
        else:
            fraud = self.choose(st.sampled_from(("accept", "accept", "challenge"))) if status == "capture" else "accept"
            self.order.move(status, fraud_status=fraud)
            self.came = self.came or (status in ("capture", "settlement") and fraud == "accept")
            if status in ("deny", "cancel"):
                self.came = False
        self.tell()

    def tell(self) -> None:
        silent = self.order.status in OUT and self.choose(st.integers(0, 3)) == 0
        changes = {"refund_amount": None, "refunds": None} if silent else {}
        body = self.order.notification(SERVER_KEY, **changes)
        self.post.append(body)

    def deliver(self) -> None:
        if self.post:
            body = self.post.pop(self.choose(st.integers(0, len(self.post) - 1)))
            self.sale.hear(body)
            self.sent.append(body)

    def repeat(self) -> None:
        if self.sent:
            body = dict(self.choose(st.sampled_from(self.sent)))
            if self.choose(st.booleans()) and body["transaction_status"] in OUT:
                body["bank_confirmed_at"] = "2026-11-28 10:00:00"  # the same word in other bytes
            self.sale.hear(body)

    def settle(self) -> None:
        for review in self.sale.open:
            offered = left_of(review, self.sale.state)
            answer = self.sale.do(SettleReview(review.id, "refund", uuid7(), uuid7()))
            assert isinstance(answer, list) == (offered is not None)

    def dismiss(self) -> None:
        for review in self.sale.open[:1]:
            self.sale.do(SettleReview(review.id, "dismiss", uuid7(), uuid7()))
            self.dismissed = True

    def refund(self) -> None:
        self.sale.do(RequestRefund(uuid7(), uuid7()))

    def expire(self) -> None:
        self.sale.do(Expire(self.sale.state.sale.expires_at if self.choose(st.booleans()) else NOON))

    def carry(self) -> None:
        """The refunds' worker asks the provider, which is as strict as Midtrans; now and then its answer is lost."""
        for flow in self.sale.state.flows:
            for refund in flow.under_way:
                assert refund.amount + refund.gone <= flow.came, "more asked for than came and has not gone"
                self.ask(str(refund.refund_id), Decimal(refund.amount), refund.refund_id)

    def ask(self, key: str, amount: Decimal, refund_id: Any) -> None:
        order = self.order
        if not any(one["refund_key"] == key for one in order.refunds):
            if order.status in CANCELABLE and amount == Decimal(order.gross_amount):
                order.move("cancel")
                self.came = False
                self.tell()
            elif order.status in REFUNDABLE and amount <= order.left:
                order.give_back(amount, key)
                self.tell()
            elif order.status not in ("refund", "chargeback", "cancel", "deny"):
                if order.status in REFUNDABLE:
                    self.sale.do(RefuseRefund(refund_id, "414"))
                return
        if self.choose(st.integers(0, 3)):
            self.sale.do(ConfirmRefund(refund_id, key))

    def end(self) -> None:
        """All arrives, all refunds come to an end."""
        while self.post:
            self.deliver()
        for _ in range(20):
            if not any(flow.under_way for flow in self.sale.state.flows):
                break
            self.carry()
            while self.post:
                self.deliver()

    def judge(self) -> None:
        truth = int(self.order.left) if self.came else 0
        state = self.sale.state
        for review in self.sale.open:
            offered = left_of(review, state)
            assert offered is None or offered.amount <= truth, "a review would pay out more than is here"
        if self.sale.open or self.dismissed:
            return
        assert self.sale.rest == truth
        if isinstance(state, Refunded):
            assert truth == 0
        elif not isinstance(state, Paid):
            assert truth == 0, "money that came is neither in the state nor under review"


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_the_order__money_in_minus_money_out_is_in_the_state_or_under_review(data: st.DataObject) -> None:
    play = Play(data.draw)
    for name in data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=30)):
        play.step(name)
        told = types(play.sale.told)
        if "TransactionRefunded" in told and "TransactionPaid" in told:
            assert told.index("TransactionPaid") < told.index("TransactionRefunded")
    play.end()
    play.judge()
