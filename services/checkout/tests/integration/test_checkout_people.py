"""People and profiles: claims once, then PUT; what is whose; erasure (E1, E4, E5, T5, T20, T21)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from services.checkout.tests.rig import Rig, Shop, manual
from tests.rigs.waiting import until

from booking_contracts.zones import zone
from booking_store import Cause, CommandContext, FreeText, handle
from checkout.people.erasure import forget
from checkout.ranking.listing import Months
from checkout.transactions.commands import RequestRefund
from checkout.transactions.store import TRANSACTION

pytestmark = pytest.mark.servers
PUBLIC = {"id", "name", "photo_url", "bio", "profession", "tiers", "timezone", "version"}


class TestMe:
    async def test_first_call__whichever_it_is_writes_the_claims(self, rig: Rig) -> None:
        member = rig.caller(
            "member",
            name="Sari",
            email="sari@example.com",
            phone_number="0812 3456 7890",
            locale="en",
            zoneinfo="Asia/Makassar",
        )
        await member.get("/v1/products")
        rows = await rig.rows("SELECT name, email, phone, locale, timezone FROM person WHERE id = %s", member.id)
        assert rows == [("Sari", "sari@example.com", "+6281234567890", "en", "Asia/Makassar")]

    async def test_later_calls__other_claims_change_nothing(self, rig: Rig) -> None:
        first = rig.caller("member", name="Sari")
        await first.get("/v1/me")
        later = rig.caller("member", sub=first.id, name="Someone else")
        me = (await later.get("/v1/me")).json()
        assert (me["name"], me["version"], me["locale"], me["timezone"]) == ("Sari", 1, "id", "Asia/Jakarta")

    async def test_first_calls_at_once__one_row_one_mark(self, rig: Rig) -> None:
        member = rig.caller("member", name="Sari")
        answers = await asyncio.gather(*(member.get("/v1/me") for _ in range(10)))
        assert {a.status_code for a in answers} == {200}
        assert {a.json()["version"] for a in answers} == {1}

    async def test_claims_that_we_would_refuse__are_left_out(self, rig: Rig) -> None:
        """T14, T15: no control character gets in by the token."""
        member = rig.caller(
            "member", name="A\r\nBcc: x@y.z", email="a@b\r\nRCPT TO:<x>", phone_number="123", zoneinfo="Mars"
        )
        me = (await member.get("/v1/me")).json()
        assert (me["name"], me["email"], me["phone"], me["timezone"]) == (None, None, None, "Asia/Jakarta")

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"name": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"}, "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"),
            ({"name": "\ufeffSa\u00adri\u200e"}, "Sari"),
            ({"phone": "+52 1 55 1234 5678"}, "+525512345678"),
            ({"phone": "006281234567890"}, "+6281234567890"),
            ({"email": "budi@b\u00fccher.example"}, "budi@xn--bcher-kva.example"),
        ],
    )
    async def test_claims_and_bodies__are_kept_by_one_rule(self, rig: Rig, given: dict[str, Any], kept: str) -> None:
        (field, value), claim = next(iter(given.items())), {"phone": "phone_number"}
        by_claim = rig.caller("member", **{claim.get(field, field): value})
        by_body = rig.caller("member")
        answer = await by_body.put("/v1/me", given)
        assert (answer.status_code, answer.json()[field]) == (200, kept)
        assert (await by_claim.get("/v1/me")).json()[field] == kept

    async def test_put__changes_what_is_given_and_keeps_the_rest(self, rig: Rig) -> None:
        member = rig.caller("member", name="Sari", email="sari@example.com")
        await member.get("/v1/me")
        changed = await member.put("/v1/me", {"phone": "+6281234567890", "locale": "en"}, If_Match='"1"')
        me = changed.json()
        assert (changed.status_code, me["name"], me["phone"], me["locale"], me["version"]) == (
            200,
            "Sari",
            "+6281234567890",
            "en",
            2,
        )
        assert (await member.put("/v1/me", {"email": None})).json()["email"] is None
        assert (await member.put("/v1/me", {"name": "B"}, If_Match='"1"')).status_code == 412

    @pytest.mark.parametrize(
        "wrong",
        [
            {"email": "a@b"},
            {"phone": "12"},
            {"phone": "555-0123"},
            {"phone": "0812 345 6789 (Budi)"},
            {"phone": "14045"},
            {"email": "budi.@docomo.ne.jp"},
            {"email": "budi@example.co-"},
            {"name": "\u200b\u200d"},
            {"timezone": "Mars/Base"},
            {"locale": "!"},
            {"name": ""},
            {"role": "admin"},
        ],
    )
    async def test_put__nonsense_is_refused(self, rig: Rig, wrong: dict) -> None:
        assert (await rig.caller("member").put("/v1/me", wrong)).status_code == 422

    async def test_service__is_no_person(self, rig: Rig) -> None:
        service = rig.caller("service")
        assert (await service.get("/v1/products")).status_code == 200
        assert (await service.get("/v1/me")).status_code == 403
        assert await rig.rows("SELECT 1 FROM person WHERE id = %s", service.id) == []


class TestProfiles:
    async def test_private_fields__for_self_and_admin_only(self, shop: Shop) -> None:
        """T5."""
        await shop.introduce(shop.practitioner.id, phone="+6281234567890", email="budi@example.com")
        path = f"/v1/practitioners/{shop.practitioner.id}"
        assert set((await shop.member.get(path)).json()) == PUBLIC
        for who in (shop.practitioner, shop.admin):
            body = (await who.get(path)).json()
            assert set(body) == PUBLIC | {"active", "phone", "email"}
            assert (body["phone"], body["email"], body["active"]) == ("+6281234567890", "budi@example.com", True)

    async def test_self__changes_the_profile_but_not_tiers_and_active(self, shop: Shop) -> None:
        path = f"/v1/practitioners/{shop.practitioner.id}"
        assert (await shop.practitioner.put(path, {"bio": "Psikolog klinis"})).json()["bio"] == "Psikolog klinis"
        for own in ({"tiers": ["platinum"]}, {"active": True}):
            assert (await shop.practitioner.put(path, own)).status_code == 403
        assert (await shop.practitioner.get(path)).json()["tiers"] == [shop.tier]

    async def test_stranger__may_not_change_it(self, shop: Shop) -> None:
        path = f"/v1/practitioners/{shop.practitioner.id}"
        assert (await shop.rig.caller("practitioner").put(path, {"bio": "x"})).status_code == 403
        assert (await shop.member.put(path, {"bio": "x"})).status_code == 403

    async def test_first_own_put__is_not_listed_until_an_admin_says_so(self, rig: Rig) -> None:
        newcomer = rig.caller("practitioner", name="Budi")
        created = await newcomer.put(f"/v1/practitioners/{newcomer.id}", {"bio": "Halo"})
        assert (created.status_code, created.json()["active"], created.json()["tiers"]) == (201, False, [])

    async def test_admins_contact_data__stay_when_the_practitioner_first_calls(self, shop: Shop) -> None:
        await shop.introduce(shop.practitioner.id, email="office@example.com")
        first = shop.rig.caller(
            "practitioner", sub=shop.practitioner.id, email="own@example.com", phone_number="081234567890"
        )
        me = (await first.get("/v1/me")).json()
        assert (me["email"], me["phone"]) == ("office@example.com", "+6281234567890")

    @pytest.mark.parametrize(
        "wrong", [{"photo_url": "javascript:alert(1)"}, {"photo_url": "https://a@b.c/"}, {"name": "a\u202eb"}, {"x": 1}]
    )
    async def test_put__nonsense_is_refused(self, shop: Shop, wrong: dict) -> None:
        """T11, T17."""
        assert (await shop.admin.put(f"/v1/practitioners/{uuid4()}", {"name": "B", **wrong})).status_code == 422

    async def test_two_at_once__no_version_is_lost(self, shop: Shop) -> None:
        path = f"/v1/practitioners/{shop.practitioner.id}"
        before = (await shop.admin.get(path)).json()["version"]
        await asyncio.gather(*(shop.admin.put(path, {"bio": f"Bio {n}"}) for n in range(8)))
        assert (await shop.admin.get(path)).json()["version"] == before + 8

    async def test_null__removes_what_may_be_absent_and_keeps_the_rest(self, shop: Shop) -> None:
        """Also `tiers`: one null took the person off the ranked list."""
        path = f"/v1/practitioners/{shop.practitioner.id}"
        before = (await shop.admin.put(path, {"bio": "Lama", "profession": "Psikolog"})).json()
        given = {"tiers": None, "active": None, "timezone": None, "name": None, "bio": None}
        after = (await shop.admin.put(path, given)).json()
        assert after == {**before, "bio": None, "version": before["version"] + 1}


class TestErasure:
    """E4."""

    CANARY = "Kanari-Rahasia"

    async def test_erased__nothing_of_them_is_left_in_any_table(self, rig: Rig) -> None:
        """T20, T21: a canary in name, email, reason and payment body."""
        shop = await rig.shop()
        member = rig.caller("member", name=self.CANARY, email=f"{self.CANARY}@example.com")
        shop.member = member
        bought = await shop.bought()
        await rig.notify({**manual(bought["id"], status="failed"), "note": self.CANARY}, "manual")
        await member.post(f"/v1/transactions/{bought['id']}/cancel", {"reason": self.CANARY})
        assert await self._hits(rig)
        answer = await shop.admin.put(f"/v1/erasures/{member.id}")
        assert answer.status_code == 200
        assert await self._hits(rig) == []
        items = (await shop.admin.get(f"/v1/transactions/{bought['id']}/history")).json()["items"]
        assert (items[0]["type"], items[0]["reason"], items[0]["erased"]) == (
            "TransactionCanceled",
            None,
            ["reason"],
        )
        assert (await shop.admin.get(f"/v1/transactions/{bought['id']}")).json()["status"] == "canceled"

    async def _hits(self, rig: Rig) -> list[str]:
        tables = await rig.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found: list[str] = []
        for (table,) in tables:
            rows = await rig.rows(f"SELECT * FROM {table}")
            if any(self.CANARY in _text(value) for row in rows for value in row):
                found.append(table)
        return found

    async def test_erased__is_refused_and_never_written_again(self, shop: Shop) -> None:
        await shop.admin.put(f"/v1/erasures/{shop.member.id}")
        for call in (shop.member.get("/v1/me"), shop.member.get("/v1/products"), shop.buy()):
            answer = await call
            assert (answer.status_code, answer.json()["code"]) == (403, "person_erased")
        again = shop.rig.caller("member", sub=shop.member.id, name="Sari")
        assert (await again.put("/v1/me", {"name": "Sari"})).status_code == 403
        assert await shop.rig.rows("SELECT name FROM person WHERE id = %s", shop.member.id) == [(None,)]
        refused = await shop.admin.put(f"/v1/practitioners/{shop.member.id}", {"name": "Sari"})
        assert (refused.status_code, refused.json()["code"]) == (403, "person_erased")

    async def test_erased__what_an_admin_says_of_their_sale_is_not_kept(self, shop: Shop) -> None:
        paid, other = await shop.paid(), uuid4()
        await shop.introduce(other)
        await shop.admin.put(f"/v1/erasures/{shop.member.id}")
        body = {"practitioner_id": str(other), "reason": "canary reason"}
        assert (await shop.admin.put(f"/v1/transactions/{paid['id']}/practitioner", body)).status_code == 200
        assert await shop.rig.rows("SELECT text FROM free_text WHERE transaction_id = %s", paid["id"]) == []
        (item,) = (await shop.admin.get(f"/v1/transactions/{paid['id']}/history")).json()["items"][:1]
        assert (item["reason"], item["erased"]) == (None, ["reason"])

    async def test_words_just_being_written__an_erasure_waits_for_them_and_deletes_them(self, shop: Shop) -> None:
        paid = await shop.paid()
        async with shop.rig.service.database.transaction() as conn:
            await refund_with_words(conn, paid["id"])
            erasing = asyncio.create_task(shop.admin.put(f"/v1/erasures/{shop.member.id}"))
            await until(lambda: blocked_or_done(shop, erasing))
        assert (await asyncio.wait_for(erasing, 20)).status_code == 200
        assert await shop.rig.rows("SELECT text FROM free_text WHERE transaction_id = %s", paid["id"]) == []

    async def test_erasure_under_way__words_wait_for_it_and_are_not_kept(self, shop: Shop) -> None:
        paid, other = await shop.paid(), uuid4()
        await shop.introduce(other)
        cause, months = Cause("admin:" + str(uuid4()), str(uuid4())), Months(zone("Asia/Jakarta"))
        async with shop.rig.service.database.transaction() as conn:
            await forget(conn, shop.member.id, cause, months, timedelta(days=1), at=datetime.now(UTC))
            body = {"practitioner_id": str(other), "reason": "canary reason"}
            path = f"/v1/transactions/{paid['id']}/practitioner"
            saying = asyncio.create_task(shop.admin.put(path, body))
            await until(lambda: blocked_or_done(shop, saying))
        assert (await asyncio.wait_for(saying, 20)).status_code == 200
        assert await shop.rig.rows("SELECT text FROM free_text WHERE transaction_id = %s", paid["id"]) == []

    async def test_before_the_first_call__a_person_can_be_erased(self, shop: Shop) -> None:
        unknown = shop.rig.caller("member", name="Sari")
        assert (await shop.admin.put(f"/v1/erasures/{unknown.id}")).status_code == 200
        assert (await unknown.get("/v1/me")).status_code == 403

    async def test_erased_practitioner__the_profile_does_not_exist(self, shop: Shop) -> None:
        await shop.admin.put(f"/v1/erasures/{shop.practitioner.id}")
        assert (await shop.member.get(f"/v1/practitioners/{shop.practitioner.id}")).status_code == 404
        assert (await shop.buy()).status_code == 404

    async def test_again__is_told_again_with_the_next_version(self, shop: Shop) -> None:
        for _ in range(2):
            assert (await shop.admin.put(f"/v1/erasures/{shop.member.id}")).status_code == 200
        rows = await shop.rig.rows(
            "SELECT version, type, data::jsonb ->> 'person_id' FROM events WHERE stream_id = %s ORDER BY 1",
            shop.member.id,
        )
        assert rows == [(version, "PersonErased", str(shop.member.id)) for version in (1, 2)]

    async def test_tombstones__are_sent_once_more_when_due(self, shop: Shop) -> None:
        await shop.admin.put(f"/v1/erasures/{shop.practitioner.id}")
        path = f"/v1/erasures/{shop.practitioner.id}"
        assert (await shop.admin.get(path)).json()["again_at"] is not None
        await shop.rig.step("tombstones")
        assert (await shop.admin.get(path)).json()["again_at"] is not None
        await shop.rig.rows("DELETE FROM outbox WHERE key = %s", str(shop.practitioner.id))
        await shop.rig.rows(
            "UPDATE erasure SET erased_at = erased_at - %s, again_at = now() WHERE person_id = %s",
            timedelta(hours=2),
            shop.practitioner.id,
        )
        await shop.rig.step("tombstones")
        marks = await shop.rig.rows("SELECT topic FROM outbox WHERE key = %s", str(shop.practitioner.id))
        assert sorted(topic for (topic,) in marks) == [
            "booking.directory.contacts.v1",
            "booking.directory.practitioners.v1",
        ]
        assert (await shop.admin.get(path)).json()["again_at"] is None

    async def test_later_notification__leaves_no_body(self, shop: Shop) -> None:
        bought = await shop.bought()
        await shop.admin.put(f"/v1/erasures/{shop.member.id}")
        await shop.rig.notify(manual(bought["id"]), "manual")
        rows = await shop.rig.rows("SELECT body FROM payment_notification WHERE transaction_id = %s", bought["id"])
        assert rows == [(None,)]

    async def test_unknown__not_found(self, shop: Shop) -> None:
        assert (await shop.admin.get(f"/v1/erasures/{uuid4()}")).status_code == 404


async def test_bodies_of_notifications__are_gone_after_ninety_days(shop: Shop) -> None:
    """P4: the rest of the row stays for ever."""
    bought = await shop.bought()
    await shop.rig.notify(manual(bought["id"]), "manual")
    await shop.rig.rows(
        "UPDATE payment_notification SET received_at = now() - interval '91 days' WHERE transaction_id = %s",
        bought["id"],
    )
    await shop.rig.step("payment-bodies")
    rows = await shop.rig.rows(
        "SELECT body, body_sha256 IS NOT NULL, status, amount FROM payment_notification WHERE transaction_id = %s",
        bought["id"],
    )
    assert rows == [(None, True, "paid", 250_000)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM transaction",
        "DROP TABLE person",
        "DELETE FROM payment_notification",
        "DELETE FROM payment_review",
    ],
)
async def test_run_time_role__may_do_what_it_must_and_no_more(rig: Rig, statement: str) -> None:
    """T25."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with rig.service.database.autocommit() as conn:
            await conn.execute(statement.encode())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


async def refund_with_words(conn: psycopg.AsyncConnection[Any], transaction_id: str) -> None:
    """A refund with an admin's reason, in a transaction that is still open afterwards."""
    words = FreeText(uuid4(), uuid4(), "canary reason")
    context = CommandContext(Cause("admin:" + str(uuid4()), str(uuid4())), datetime.now(UTC), text=words)
    await handle(conn, TRANSACTION, UUID(transaction_id), RequestRefund(uuid4(), words.id), context)


async def blocked_or_done(shop: Shop, task: asyncio.Task[Any]) -> bool:
    return task.done() or bool(await shop.rig.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
