"""Notifications late, twice, early, forged, wrong; expiry, reviews and refunds (P3 to P5, F65, F70 to F77, I10)."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Rig, Shop, manual, signature
from shared.process.tests.proxy import Proxy

from booking_contracts.ids import uuid7

pytestmark = pytest.mark.servers
RACE_ROUNDS = int(os.environ.get("RACE_ROUNDS", "4"))


async def open_reviews(shop: Shop, transaction: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    items = (await shop.admin.get("/v1/payment-reviews?status=open&limit=200")).json()["items"]
    return [item for item in items if transaction is None or item["transaction_id"] == transaction["id"]]


class TestNotifications:
    @pytest.mark.timeout(300 + 5 * RACE_ROUNDS)
    async def test_fifty_copies_at_once__pay_once(self, shop: Shop, record_property) -> None:
        """F70; RACE_ROUNDS=50 for as many Transactions."""
        spent = 0.0
        for _ in range(RACE_ROUNDS):
            bought = await shop.bought()
            body = manual(bought["id"])
            begun = time.perf_counter()
            answers = await asyncio.gather(*(shop.rig.notify(body, "manual") for _ in range(50)))
            spent += time.perf_counter() - begun
            assert {(a.status_code, a.text) for a in answers} == {(200, '{"received":true}')}
            assert (await shop.rig.types(bought["id"])).count("TransactionPaid") == 1
            stored = await shop.rig.rows("SELECT count(*) FROM payment_notification WHERE reference = %s", bought["id"])
            assert stored == [(1,)]
        figures = f"{50 * RACE_ROUNDS} x 200, {RACE_ROUNDS} paid once each, 0 other, {spent:.1f} s"
        record_property("figures", f"50 copies of one notification at once, {RACE_ROUNDS} rounds: {figures}")

    async def test_two_ids_of_one_payment__pay_once(self, shop: Shop) -> None:
        """F71."""
        bought = await shop.bought()
        bodies = [manual(bought["id"], payment_id="p-1" + bought["id"]) for _ in range(10)]
        await asyncio.gather(*(shop.rig.notify(body, "manual") for body in bodies))
        assert await shop.rig.types(bought["id"]) == ["TransactionCreated", "PractitionerAssigned", "TransactionPaid"]
        assert await open_reviews(shop, bought) == []

    async def test_two_payments_at_once__one_pays_and_one_needs_a_review(self, shop: Shop) -> None:
        """I10."""
        bought = await shop.bought()
        answers = await asyncio.gather(*(shop.rig.notify(manual(bought["id"]), "manual") for _ in range(6)))
        assert {a.status_code for a in answers} == {200}
        assert (await shop.rig.types(bought["id"])).count("TransactionPaid") == 1
        assert [r["cause"] for r in await open_reviews(shop, bought)] == ["second_payment"] * 5

    async def test_one_payment_for_two_transactions__pays_one(self, shop: Shop) -> None:
        """I10: a payment id pays at most once, whatever its notifications name."""
        one, other = await shop.bought(), await shop.bought()
        payment = str(uuid4())
        await asyncio.gather(*(shop.rig.notify(manual(t["id"], payment_id=payment), "manual") for t in (one, other)))
        statuses = sorted([(await shop.seen(one))["status"], (await shop.seen(other))["status"]])
        assert statuses == ["awaiting_payment", "paid"]
        reviews = [r for r in await open_reviews(shop) if r["provider_payment_id"] == payment]
        assert [r["cause"] for r in reviews] == ["second_payment"]

    async def test_before_the_transaction__is_kept_and_matched(self, shop: Shop, monkeypatch) -> None:
        """F72: the notification is first, the Transaction appears later."""
        early, settled_at = uuid7(), datetime.now(UTC) + timedelta(seconds=-1)
        said = manual(str(early), settled_at=settled_at.isoformat())
        assert (await shop.rig.notify(said, "manual")).status_code == 200
        (review,) = [r for r in await open_reviews(shop) if r["reference"] == str(early)]
        assert (review["cause"], review["transaction_id"]) == ("unknown_transaction", None)
        monkeypatch.setattr("checkout.transactions.handlers.uuid7", lambda: early)
        bought = await shop.bought()
        monkeypatch.undo()
        assert UUID(bought["id"]) == early
        while await shop.rig.step("matching"):
            pass
        assert (await shop.seen(bought))["status"] == "paid"
        history = (await shop.admin.get(f"/v1/transactions/{early}/history")).json()["items"]
        paid, created = history[0], history[-1]
        assert datetime.fromisoformat(paid["data"]["settled_at"]) == datetime.fromisoformat(created["occurred_at"])
        settled = (await shop.admin.get("/v1/payment-reviews?status=settled&limit=200")).json()["items"]
        assert [r["outcome"] for r in settled if r["id"] == review["id"]] == ["matched"]

    async def test_declined_before_the_transaction__is_told_once_and_it_can_be_paid(
        self, shop: Shop, monkeypatch
    ) -> None:
        early = uuid7()
        deny = shop.rig.provider.notification(str(early), "deny", transaction_id="p-1")
        assert (await shop.rig.notify(deny)).status_code == 200
        monkeypatch.setattr("checkout.transactions.handlers.uuid7", lambda: early)
        bought = await shop.bought()
        monkeypatch.undo()
        while await shop.rig.step("matching"):
            pass
        again = shop.rig.provider.notification(str(early), "deny", transaction_id="p-1", status_message="again")
        assert (await shop.rig.notify(again)).status_code == 200
        assert (await shop.pay(bought, transaction_id="p-2")).status_code == 200
        history = (await shop.admin.get(f"/v1/transactions/{early}/history")).json()["items"]
        assert [item["type"] for item in history][:2] == ["TransactionPaid", "PaymentDeclined"]
        assert (len(history), history[1]["data"]["code"]) == (4, "deny")
        assert (await shop.seen(bought))["status"] == "paid"

    async def test_one_that_cannot_be_decided__keeps_none_behind_it_waiting(self, shop: Shop, monkeypatch) -> None:
        """A read row without a stream, as only damage makes it, is named by the first in line."""
        damaged, early = uuid7(), uuid7()
        for name in (damaged, early):
            assert (await shop.rig.notify(manual(str(name)), "manual")).status_code == 200
        model = await shop.bought()
        row = "jsonb_populate_record(t, jsonb_build_object('id', %s::uuid))"
        await shop.rig.rows(
            f"INSERT INTO transaction SELECT ({row}).* FROM transaction t WHERE id = %s", str(damaged), model["id"]
        )
        monkeypatch.setattr("checkout.transactions.handlers.uuid7", lambda: early)
        bought = await shop.bought()
        monkeypatch.undo()
        try:
            await shop.rig.step("matching")
        finally:
            await shop.rig.rows("DELETE FROM transaction WHERE id = %s", str(damaged))
        assert (await shop.seen(bought))["status"] == "paid"

    @pytest.mark.parametrize(
        ("change", "cause"),
        [
            ({"amount": 249_999}, "wrong_amount"),
            ({"amount": 1, "currency": "USD"}, "wrong_currency"),
            ({"currency": "XAU"}, "wrong_currency"),
        ],
    )
    async def test_wrong_amount_or_currency__a_review_and_no_payment(
        self, shop: Shop, change: dict, cause: str
    ) -> None:
        """F75."""
        bought = await shop.bought()
        await shop.rig.notify(manual(bought["id"], **change), "manual")
        assert (await shop.seen(bought))["status"] == "awaiting_payment"
        (review,) = await open_reviews(shop, bought)
        assert review["cause"] == cause
        assert review["expected"] == {"amount": 250_000, "currency": "IDR"}

    async def test_midtrans_finer_than_a_rupiah__a_review(self, shop: Shop) -> None:
        """F75."""
        bought = await shop.bought()
        assert (await shop.pay(bought, gross_amount="250000.50")).status_code == 200
        assert [r["cause"] for r in await open_reviews(shop, bought)] == ["wrong_amount"]

    async def test_unreadable__is_stored_and_shown(self, shop: Shop) -> None:
        """P4: never dropped, 200 whatever it says."""
        reference = f"order-{uuid4()}"
        for wrong in ({"amount": "much"}, {"status": "weird"}, {"currency": 7}):
            body = {**manual(reference), **wrong}
            assert (await shop.rig.notify(body, "manual")).status_code == 200
        found = [r for r in await open_reviews(shop) if r["reference"] == reference]
        assert {r["cause"] for r in found} == {"unreadable"}
        assert len(found) == 3

    async def test_unknown_transaction__a_review_that_an_admin_settles(self, shop: Shop) -> None:
        """P4: by its row alone."""
        reference = f"order-{uuid4()}"
        await shop.rig.notify(manual(reference), "manual")
        (review,) = [r for r in await open_reviews(shop) if r["reference"] == reference]
        path = f"/v1/payment-reviews/{review['id']}/settle"
        answer = await shop.admin.post(path, {"outcome": "refund", "reason": "Tidak dikenal"})
        assert (answer.status_code, answer.json()["status"], answer.json()["outcome"]) == (200, "settled", "refund")
        assert (await shop.admin.post(path, {"outcome": "dismiss", "reason": "x"})).json()["code"] == "already_settled"
        await shop.rig.step("refunds")
        rows = await shop.rig.rows("SELECT status FROM refund WHERE review_id = %s", review["id"])
        assert rows == [("succeeded",)]

    async def test_unknown_transaction_refunded__leaves_nothing_to_settle(self, shop: Shop) -> None:
        for order in (("paid", "refunded"), ("refunded", "paid")):
            reference, payment = f"order-{uuid4()}", str(uuid4())
            for status in order:
                await shop.rig.notify(manual(reference, status, payment_id=payment), "manual")
            assert [r for r in await open_reviews(shop) if r["reference"] == reference] == []


class TestDatabaseDown:
    """F77: what is not stored is not acknowledged, so the provider comes again, and counts once."""

    async def test_refused__is_503_and_the_repeat_pays_once(self, behind_proxy: tuple[Proxy, Shop]) -> None:
        proxy, shop = behind_proxy
        bought = await shop.bought()
        body = manual(bought["id"])
        await proxy.down()
        refused = await shop.rig.notify(body, "manual")
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        await proxy.up()
        for _ in range(3):
            assert (await shop.rig.notify(body, "manual")).status_code == 200
        assert (await shop.rig.types(bought["id"])).count("TransactionPaid") == 1

    async def test_cut_at_any_moment__each_is_repeated_until_taken_and_pays_once(
        self, behind_proxy: tuple[Proxy, Shop]
    ) -> None:
        """Also where the commit was done and only its answer was lost."""
        proxy, shop = behind_proxy
        outcomes: set[int] = set()
        for round_ in range(40):
            bought = await shop.bought()
            body = manual(bought["id"])
            first = asyncio.create_task(shop.rig.notify(body, "manual"))
            for _ in range(round_):  # turns of the loop, so that the cut falls into each step of the way
                await asyncio.sleep(0)
            proxy.cut()
            answer = await first
            while answer.status_code != 200:
                outcomes.add(answer.status_code)
                assert answer.status_code == 503, answer.text
                answer = await shop.rig.notify(body, "manual")
            assert (await shop.rig.types(bought["id"]))[2:] == ["TransactionPaid"]
        assert outcomes == {503}, "no cut ever fell into a notification"


class TestForged:
    """F76, T22: nothing is stored."""

    async def test_midtrans__one_character_changed(self, shop: Shop) -> None:
        bought = await shop.bought()
        good = shop.rig.provider.notification(bought["id"])
        for name, value in (
            ("gross_amount", "250000.01"),
            ("order_id", str(uuid4())),
            ("status_code", "201"),
            ("signature_key", "0" + good["signature_key"][1:] if good["signature_key"][0] != "0" else "1"),
            ("signature_key", ""),
            ("signature_key", None),
            ("gross_amount", 250000.00),
        ):
            assert (await shop.rig.notify({**good, name: value})).status_code == 401
        assert (await shop.seen(bought))["status"] == "awaiting_payment"

    async def test_midtrans__a_pending_one_made_into_a_payment(self, shop: Shop) -> None:
        """The signature doesn't cover the status: it must agree with the signed code."""
        bought = await shop.bought()
        pending = shop.rig.provider.notification(bought["id"], "pending")
        assert (await shop.rig.notify({**pending, "transaction_status": "settlement"})).status_code == 401
        assert (await shop.rig.notify(pending)).status_code == 200
        assert (await shop.seen(bought))["status"] == "awaiting_payment"

    async def test_manual__bad_or_no_signature_or_other_bytes(self, shop: Shop) -> None:
        bought = await shop.bought()
        raw = json.dumps(manual(bought["id"])).encode()
        path, good = "/v1/payments/manual/notifications", signature(raw)
        for headers, body in (
            ({}, raw),
            ({"X-Signature": ""}, raw),
            ({"X-Signature": good[:-1] + ("0" if good[-1] != "0" else "1")}, raw),
            ({"X-Signature": good}, raw + b" "),
            ({"X-Signature": good}, json.dumps(json.loads(raw), separators=(",", ":")).encode()),
        ):
            assert (await shop.rig.http.post(path, content=body, headers=headers)).status_code == 401
        assert (await shop.seen(bought))["status"] == "awaiting_payment"

    async def test_no_json__is_a_bad_request(self, rig: Rig) -> None:
        for provider in ("manual", "midtrans"):
            for raw in (b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff"):
                answer = await rig.http.post(
                    f"/v1/payments/{provider}/notifications", content=raw, headers={"X-Signature": signature(raw)}
                )
                assert answer.status_code == 400, (provider, raw, answer.text)

    async def test_oversize__is_refused_before_any_proof_and_not_stored(self, shop: Shop) -> None:
        """T6: the limit holds where no token is asked for; a proof that fits changes nothing."""
        bought = await shop.bought()
        raw = json.dumps({**manual(bought["id"]), "padding": "x" * 300_000}).encode()
        path = "/v1/payments/manual/notifications"
        answer = await shop.rig.http.post(path, content=raw, headers={"X-Signature": signature(raw)})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        stored = await shop.rig.rows("SELECT count(*) FROM payment_notification WHERE reference = %s", bought["id"])
        assert stored == [(0,)]

    async def test_unknown_provider__not_found(self, rig: Rig) -> None:
        assert (await rig.notify({}, "paypal")).status_code == 404


class TestTooLate:
    """F73: no session is revived, no money is dropped."""

    async def test_canceled(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.member.post(f"/v1/transactions/{bought['id']}/cancel")
        assert (await shop.pay(bought)).status_code == 200
        assert (await shop.seen(bought))["status"] == "canceled"
        assert [r["cause"] for r in await open_reviews(shop, bought)] == ["after_cancel"]

    async def test_expired(self, shop: Shop) -> None:
        bought = await expired(shop)
        await shop.pay(bought)
        assert [r["cause"] for r in await open_reviews(shop, bought)] == ["after_expiry"]
        assert (await shop.seen(bought))["status"] == "expired"

    async def test_review__refunded_by_an_admin_leaves_the_transaction_alone(self, shop: Shop) -> None:
        """P5."""
        bought = await expired(shop)
        await shop.pay(bought)
        (review,) = await open_reviews(shop, bought)
        answer = await shop.admin.post(
            f"/v1/payment-reviews/{review['id']}/settle", {"outcome": "refund", "reason": "Terlambat"}
        )
        assert answer.json()["outcome"] == "refund"
        await shop.rig.step("refunds")
        seen = await shop.seen(bought)
        assert (seen["status"], seen["refund"]) == ("expired", None)
        assert (await shop.rig.types(bought["id"]))[-4:] == [
            "PaymentNeedsReview",
            "PaymentReviewSettled",
            "RefundRequested",
            "TransactionRefunded",
        ]


async def expired(shop: Shop) -> dict[str, Any]:
    """A Transaction whose time ran out."""
    await shop.offer(payment_ttl_minutes=1)
    bought = await shop.bought()
    await due(shop, bought)
    await shop.rig.step("expiry")
    assert (await shop.seen(bought))["status"] == "expired"
    return bought


async def due(shop: Shop, bought: dict[str, Any]) -> None:
    """Let the time to pay be over, in the stream as well: the stored event says so."""
    await shop.rig.rows(
        "DO $$ BEGIN EXECUTE 'ALTER TABLE events DISABLE TRIGGER events_are_never_changed'; END $$",
    )
    await shop.rig.rows(
        "UPDATE events SET data = jsonb_set(data::jsonb, '{expires_at}', '\"2026-01-01T00:00:00Z\"')::json"
        " WHERE stream_id = %s AND type = 'TransactionCreated'",
        bought["id"],
    )
    await shop.rig.rows("ALTER TABLE events ENABLE TRIGGER events_are_never_changed")
    await shop.rig.overdue(bought["id"])


class TestExpiry:
    """P3."""

    async def test_provider_down__does_not_expire(self, shop: Shop, provider: MidtransServer) -> None:
        bought = await shop.bought()
        await due(shop, bought)
        provider.mode = "down"
        await shop.rig.step("expiry")
        assert (await shop.seen(bought))["status"] == "awaiting_payment"
        provider.mode = "ok"
        await shop.rig.overdue(bought["id"])
        await shop.rig.step("expiry")
        assert (await shop.seen(bought))["status"] == "expired"

    async def test_provider_was_paid__pays_instead(self, shop: Shop, provider: MidtransServer) -> None:
        """The notification was lost; the provider is asked before anything expires."""
        bought = await shop.bought()
        provider.orders[bought["id"]] = provider.notification(bought["id"])
        await due(shop, bought)
        await shop.rig.step("expiry")
        assert (await shop.seen(bought))["status"] == "paid"

    async def test_not_due__stays(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.rig.step("expiry")
        assert (await shop.seen(bought))["status"] == "awaiting_payment"

    async def test_expiry_against_payment__exactly_one_outcome(self, shop: Shop) -> None:
        """F65, I10."""
        for _ in range(25):
            bought = await shop.bought()
            await due(shop, bought)
            await asyncio.gather(
                shop.rig.step("expiry"), shop.rig.notify(manual(bought["id"]), "manual"), shop.rig.step("expiry")
            )
            seen, types = await shop.seen(bought), await shop.rig.types(bought["id"])
            reviews = await open_reviews(shop, bought)
            if seen["status"] == "paid":
                assert (types[2:], reviews) == (["TransactionPaid"], [])
            else:
                assert types[2:] == ["TransactionExpired", "PaymentNeedsReview"]
                assert [r["cause"] for r in reviews] == ["after_expiry"]


class TestRefund:
    """P5."""

    async def test_requested__stays_paid_until_the_provider_has_done_it(
        self, shop: Shop, provider: MidtransServer
    ) -> None:
        paid = await shop.paid()
        provider.mode = "down"
        answer = await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        body = answer.json()
        assert (answer.status_code, body["status"], body["refund"]["status"]) == (200, "paid", "requested")
        await shop.rig.step("refunds")
        assert (await shop.seen(paid))["refund"]["status"] == "requested"
        again = await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        assert (again.status_code, again.json()["code"]) == (409, "refund_in_progress")
        provider.mode = "ok"
        await shop.rig.rows("UPDATE refund SET next_attempt_at = now() WHERE transaction_id = %s", paid["id"])
        await shop.rig.step("refunds")
        seen = await shop.seen(paid)
        assert (seen["status"], seen["refund"]["status"]) == ("refunded", "succeeded")
        assert seen["refund"]["settled_at"] is not None

    async def test_answer_lost__refunded_once(self, shop: Shop, provider: MidtransServer) -> None:
        """Repeated safely: the provider did it, and we never heard."""
        paid = await shop.paid()
        await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        provider.mode = "lost"
        await shop.rig.step("refunds")
        assert (await shop.seen(paid))["refund"]["status"] == "requested"
        provider.mode = "ok"
        await shop.rig.rows("UPDATE refund SET next_attempt_at = now() WHERE transaction_id = %s", paid["id"])
        await shop.rig.step("refunds")
        assert (await shop.seen(paid))["status"] == "refunded"
        assert len([r for r in provider.refunds.values() if r["order_id"] == paid["id"]]) == 1

    async def test_final_no__the_admin_may_try_again(self, shop: Shop, provider: MidtransServer) -> None:
        paid = await shop.paid()
        provider.mode = "reject"
        await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        await shop.rig.step("refunds")
        seen = await shop.seen(paid)
        assert (seen["status"], seen["refund"]["status"]) == ("paid", "failed")
        provider.mode = "ok"
        again = await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sekali lagi"})
        assert again.json()["refund"]["status"] == "requested"
        await shop.rig.step("refunds")
        assert (await shop.seen(paid))["status"] == "refunded"

    async def test_by_the_provider__refunded_and_the_requests_worker_finds_it_done(self, shop: Shop) -> None:
        paid = await shop.paid()
        await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        await shop.pay(paid, status="refund", refund_amount="250000.00")
        await shop.rig.step("refunds")
        assert (await shop.rig.types(paid["id"])).count("TransactionRefunded") == 1

    async def test_unpaid__nothing_to_refund(self, shop: Shop) -> None:
        bought = await shop.bought()
        answer = await shop.admin.post(f"/v1/transactions/{bought['id']}/refund", {"reason": "x"})
        assert (answer.status_code, answer.json()["current_status"]) == (409, "awaiting_payment")

    async def test_manual__the_request_is_the_transfer(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.rig.notify(manual(bought["id"]), "manual")
        await shop.admin.post(f"/v1/transactions/{bought['id']}/refund", {"reason": "Sakit"})
        await shop.rig.step("refunds")
        assert (await shop.seen(bought))["status"] == "refunded"
