"""Money that a provider takes back, in parts or whole, and how it is given back: over HTTP (P3 to P5)."""

from typing import Any
from uuid import uuid4

import pytest
from services.checkout.tests.integration.test_checkout_payments import due, open_reviews
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Shop, manual

pytestmark = pytest.mark.servers
IDR = {"currency": "IDR"}


async def settle(shop: Shop, review: dict[str, Any], outcome: str = "refund") -> Any:
    return await shop.admin.post(f"/v1/payment-reviews/{review['id']}/settle", {"outcome": outcome, "reason": "Dicek"})


async def refunds_asked(shop: Shop, payment: str) -> int:
    """The units that checkout asked this payment's provider to give back, in all."""
    rows = await shop.rig.rows("SELECT coalesce(sum(amount), 0) FROM refund WHERE payment_id = %s", payment)
    return int(rows[0][0])


class TestTakenBack:
    """`cancel` after `capture`, `deny` after `settlement`: the money is gone."""

    @pytest.mark.parametrize("code", ["200", "202"])
    @pytest.mark.parametrize(
        ("came", "gone"), [("capture", "cancel"), ("settlement", "deny"), ("settlement", "cancel"), ("capture", "deny")]
    )
    async def test_paid__is_refunded(self, shop: Shop, came: str, gone: str, code: str) -> None:
        bought = await shop.bought()
        await shop.pay(bought, status=came)
        assert (await shop.seen(bought))["status"] == "paid"
        assert (await shop.pay(bought, status=gone, status_code=code)).status_code == 200
        seen = await shop.seen(bought)
        assert (seen["status"], seen["refund"]["status"]) == ("refunded", "succeeded")
        assert await open_reviews(shop, bought) == []

    async def test_canceled_is_heard_first__refunded_all_the_same(self, shop: Shop) -> None:
        bought = await shop.bought()
        for status in ("cancel", "capture"):
            await shop.pay(bought, status=status)
        assert (await shop.seen(bought))["status"] == "refunded"

    async def test_denied_is_heard_first__paid_and_an_admin_looks(self, shop: Shop) -> None:
        bought = await shop.bought()
        for status in ("deny", "settlement"):
            await shop.pay(bought, status=status)
        (review,) = await open_reviews(shop, bought)
        assert (review["direction"], review["refundable"]) == ("out", None)
        assert (await shop.seen(bought))["status"] == "paid"
        assert (await settle(shop, review)).json()["code"] == "not_refundable"
        assert (await settle(shop, review, "dismiss")).json()["outcome"] == "dismiss"

    @pytest.mark.parametrize("status", ["expire", "failure"])
    async def test_a_contradiction__stays_paid_and_an_admin_looks(self, shop: Shop, status: str) -> None:
        paid = await shop.paid()
        await shop.pay(paid, status=status)
        assert [r["direction"] for r in await open_reviews(shop, paid)] == ["out"]
        assert (await shop.seen(paid))["status"] == "paid"

    async def test_reviewed_money__its_review_is_settled(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.member.post(f"/v1/transactions/{bought['id']}/cancel")
        await shop.pay(bought, status="capture")
        assert len(await open_reviews(shop, bought)) == 1
        await shop.pay(bought, status="cancel")
        assert await open_reviews(shop, bought) == []

    async def test_manual__failed_after_paid_is_an_admins_to_look_at(self, shop: Shop) -> None:
        bought = await shop.bought()
        payment = str(uuid4())
        for status in ("paid", "failed"):
            await shop.rig.notify(manual(bought["id"], status, payment_id=payment), "manual")
        assert [r["direction"] for r in await open_reviews(shop, bought)] == ["out"]


class TestParts:
    @pytest.mark.parametrize("status", ["partial_refund", "partial_chargeback"])
    async def test_a_part__the_review_says_what_came_and_what_went(self, shop: Shop, status: str) -> None:
        paid = await shop.paid()
        await shop.pay(paid, status=status, refund_amount="100000.00")
        (review,) = await open_reviews(shop, paid)
        assert (review["direction"], review["received"], review["returned"], review["refundable"]) == (
            "out",
            {"amount": 250_000, **IDR},
            {"amount": 100_000, **IDR},
            {"amount": 150_000, **IDR},
        )
        assert (await settle(shop, review)).status_code == 200
        await shop.rig.step("refunds")
        assert await refunds_asked(shop, f"pay-{paid['id']}") == 150_000
        assert (await shop.seen(paid))["status"] == "refunded"

    @pytest.mark.parametrize("status", ["partial_refund", "partial_chargeback"])
    async def test_a_part_without_an_amount__nothing_can_be_given_back(self, shop: Shop, status: str) -> None:
        paid = await shop.paid()
        await shop.pay(paid, status=status)
        (review,) = await open_reviews(shop, paid)
        assert (review["returned"], review["refundable"]) == (None, None)
        assert (await shop.seen(paid))["status"] == "paid"
        assert (await settle(shop, review)).json()["code"] == "not_refundable"
        refused = await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_refundable")

    async def test_parts_that_add_up__refunded_and_nothing_is_left_open(self, shop: Shop) -> None:
        paid = await shop.paid()
        for amount in ("100000.00", "100000.00", "250000.00"):
            await shop.pay(paid, status="partial_refund", refund_amount=amount, status_message=str(uuid4()))
        assert (await shop.seen(paid))["status"] == "refunded"
        assert await open_reviews(shop, paid) == []

    async def test_the_part_is_heard_before_the_settlement__the_same_review(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.pay(bought, status="partial_refund", refund_amount="100000.00")
        await shop.pay(bought, status="settlement")
        (review,) = await open_reviews(shop, bought)
        assert review["refundable"] == {"amount": 150_000, **IDR}
        assert (await shop.seen(bought))["status"] == "paid"

    async def test_refunded_by_an_admin__only_what_is_left(self, shop: Shop) -> None:
        paid = await shop.paid()
        await shop.pay(paid, status="partial_refund", refund_amount="100000.00")
        await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        assert await refunds_asked(shop, f"pay-{paid['id']}") == 150_000
        assert await open_reviews(shop, paid) == []

    async def test_manual__refunded_tells_the_sum_so_far(self, shop: Shop) -> None:
        bought = await shop.bought()
        payment = str(uuid4())
        await shop.rig.notify(manual(bought["id"], payment_id=payment), "manual")
        for _ in range(2):
            await shop.rig.notify(manual(bought["id"], "refunded", 100_000, payment_id=payment), "manual")
        (review,) = await open_reviews(shop, bought)
        assert review["refundable"] == {"amount": 150_000, **IDR}
        await shop.rig.notify(manual(bought["id"], "refunded", payment_id=payment), "manual")
        assert (await shop.seen(bought))["status"] == "refunded"

    async def test_refunded_first_with_another_amount__never_pays_afterwards(self, shop: Shop) -> None:
        bought = await shop.bought()
        payment = str(uuid4())
        await shop.rig.notify(manual(bought["id"], "refunded", 100_000, payment_id=payment), "manual")
        await shop.rig.notify(manual(bought["id"], "paid", payment_id=payment), "manual")
        types = await shop.rig.types(bought["id"])
        assert "TransactionPaid" not in types[types.index("TransactionRefunded") :]
        (review,) = await open_reviews(shop, bought)
        assert review["refundable"] == {"amount": 150_000, **IDR}


class TestUnknownReference:
    """The same, of money that names no Transaction: by its review's row alone."""

    async def hear(self, shop: Shop, reference: str, *words: tuple[str, str | None]) -> list[dict[str, Any]]:
        for status, amount in words:
            more = {"refund_amount": amount} if amount else {}
            body = shop.rig.provider.notification(reference, status, **more)
            assert (await shop.rig.notify(body)).status_code == 200
        return [r for r in await open_reviews(shop) if r["reference"] == reference]

    @pytest.mark.parametrize("turned", [False, True])
    async def test_a_part__only_the_rest_can_be_given_back(self, shop: Shop, turned: bool) -> None:
        reference = f"order-{uuid4()}"
        words: list[tuple[str, str | None]] = [("settlement", None), ("partial_refund", "100000.00")]
        (review,) = await self.hear(shop, reference, *(reversed(words) if turned else words))
        assert (review["direction"], review["returned"], review["refundable"]) == (
            "out",
            {"amount": 100_000, **IDR},
            {"amount": 150_000, **IDR},
        )
        assert (await settle(shop, review)).status_code == 200
        assert await refunds_asked(shop, f"pay-{reference}") == 150_000

    @pytest.mark.parametrize(
        "gone", [("refund", None), ("chargeback", None), ("cancel", None), ("partial_refund", "250000.00")]
    )
    @pytest.mark.parametrize("turned", [False, True])
    async def test_the_whole__nothing_is_left_to_settle(
        self, shop: Shop, gone: tuple[str, str | None], turned: bool
    ) -> None:
        reference = f"order-{uuid4()}"
        words: list[tuple[str, str | None]] = [("capture", None), gone]
        assert await self.hear(shop, reference, *(reversed(words) if turned else words)) == []

    @pytest.mark.parametrize("unclear", ["partial_refund", "partial_chargeback", "deny"])
    @pytest.mark.parametrize("turned", [False, True])
    async def test_nobody_knows_how_much__dismissed_only(self, shop: Shop, unclear: str, turned: bool) -> None:
        reference = f"order-{uuid4()}"
        words: list[tuple[str, str | None]] = [("settlement", None), (unclear, None)]
        (review,) = await self.hear(shop, reference, *(reversed(words) if turned else words))
        assert review["refundable"] is None
        assert (await settle(shop, review)).json()["code"] == "not_refundable"
        assert (await settle(shop, review, "dismiss")).status_code == 200

    async def test_a_part_after_a_dismissal__is_a_new_review_and_a_repeat_is_none(self, shop: Shop) -> None:
        reference = f"order-{uuid4()}"
        (review,) = await self.hear(shop, reference, ("settlement", None))
        await settle(shop, review, "dismiss")
        (again,) = await self.hear(shop, reference, ("partial_refund", "100000.00"))
        assert again["id"] != review["id"]
        await settle(shop, again, "dismiss")
        assert await self.hear(shop, reference, ("settlement", None), ("partial_refund", "100000.00")) == []

    async def test_our_own_refund_comes_back_as_a_notification__no_new_review(self, shop: Shop) -> None:
        reference = f"order-{uuid4()}"
        (review,) = await self.hear(shop, reference, ("settlement", None))
        await settle(shop, review)
        await shop.rig.step("refunds")
        assert await self.hear(shop, reference, ("partial_refund", "250000.00"), ("refund", None)) == []

    async def test_unreadable__can_only_be_dismissed(self, shop: Shop) -> None:
        reference = f"order-{uuid4()}"
        await shop.rig.notify(manual(reference) | {"amount": "much"}, "manual")
        (review,) = [r for r in await open_reviews(shop) if r["reference"] == reference]
        assert (await settle(shop, review)).json()["code"] == "not_refundable"
        assert (await settle(shop, review, "dismiss")).status_code == 200


class TestTestNotification:
    async def test_the_dashboards_button__200_and_no_money_to_review(self, shop: Shop) -> None:
        reference = f"payment_notif_test_G000000001_{uuid4()}"
        for _ in range(2):
            body = shop.rig.provider.notification(reference, gross_amount="105000.00")
            assert (await shop.rig.notify(body)).status_code == 200
        assert [r for r in await open_reviews(shop) if r["reference"] == reference] == []
        forged = shop.rig.provider.notification(reference) | {"signature_key": "0" * 128}
        assert (await shop.rig.notify(forged)).status_code == 401


class TestExpiry:
    @pytest.mark.parametrize("code", ["407", "202", "200"])
    async def test_expired_at_the_provider__expires_here(self, shop: Shop, provider: MidtransServer, code: str) -> None:
        """P3: 407 is a good answer that means expired."""
        bought = await shop.bought()
        provider.orders[bought["id"]] = provider.notification(bought["id"], "expire", status_code=code)
        await due(shop, bought)
        await shop.rig.step("expiry")
        assert (await shop.seen(bought))["status"] == "expired"

    async def test_twenty_expired_orders__do_not_lock_the_member_out(
        self, shop: Shop, provider: MidtransServer
    ) -> None:
        for _ in range(20):
            bought = await shop.bought()
            provider.orders[bought["id"]] = provider.notification(bought["id"], "expire", status_code="407")
            await due(shop, bought)
        assert (await shop.buy()).json()["code"] == "too_many_unpaid"
        for _ in range(3):
            await shop.rig.step("expiry")  # ten at a time
        assert (await shop.buy()).status_code == 201


class TestRefundByStatus:
    """P5: canceled while captured, refunded once settled; a no is final only where its status explains it."""

    async def refund(self, shop: Shop, paid: dict[str, Any]) -> dict[str, Any]:
        await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        return await self.carry(shop, paid)

    async def carry(self, shop: Shop, paid: dict[str, Any]) -> dict[str, Any]:
        await shop.rig.rows("UPDATE refund SET next_attempt_at = now() WHERE transaction_id = %s", paid["id"])
        await shop.rig.step("refunds")
        return await shop.seen(paid)

    async def captured(self, shop: Shop, provider: MidtransServer) -> dict[str, Any]:
        bought = await shop.bought()
        provider.orders[bought["id"]] = provider.notification(bought["id"], "capture")
        await shop.pay(bought, status="capture")
        return bought

    async def test_captured__is_canceled(self, shop: Shop, provider: MidtransServer) -> None:
        paid = await self.captured(shop, provider)
        seen = await self.refund(shop, paid)
        assert (seen["status"], seen["refund"]["status"]) == ("refunded", "succeeded")
        assert provider.orders[paid["id"]]["transaction_status"] == "cancel"

    async def test_captured_and_no_cancel_possible__waits_for_the_settlement(
        self, shop: Shop, provider: MidtransServer
    ) -> None:
        paid = await self.captured(shop, provider)
        provider.mode = "reject"
        seen = await self.refund(shop, paid)
        assert (seen["status"], seen["refund"]["status"]) == ("paid", "requested")
        provider.mode = "ok"
        provider.orders[paid["id"]]["transaction_status"] = "settlement"
        assert (await self.carry(shop, paid))["status"] == "refunded"

    async def test_the_cancels_answer_is_lost__found_done(self, shop: Shop, provider: MidtransServer) -> None:
        paid = await self.captured(shop, provider)
        provider.orders[paid["id"]]["transaction_status"] = "cancel"
        assert (await self.refund(shop, paid))["status"] == "refunded"

    async def test_denied_by_the_bank__is_no_refund(self, shop: Shop, provider: MidtransServer) -> None:
        """Code 202 with a settled payment: the money is still here."""
        paid = await shop.paid()
        provider.mode = "denied"
        seen = await self.refund(shop, paid)
        assert (seen["status"], seen["refund"]["status"]) == ("paid", "failed")

    async def test_another_attempt_at_the_order_was_canceled__ours_is_not_refunded(
        self, shop: Shop, provider: MidtransServer
    ) -> None:
        paid = await shop.paid()
        provider.orders[paid["id"]] = provider.notification(paid["id"], "cancel", transaction_id="another")
        seen = await self.refund(shop, paid)
        assert (seen["status"], seen["refund"]["status"]) == ("paid", "failed")
