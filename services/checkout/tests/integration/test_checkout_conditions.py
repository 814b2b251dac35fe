"""Conditions, replays and versions of what has no stream: me, practitioners, products, reviews (RFC 9110 §13, I14)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from services.checkout.tests.rig import PRICE, Rig, Shop, manual
from tests.rigs.waiting import until

pytestmark = pytest.mark.servers
PRODUCT = {"name": "Konseling", "kind": "counseling", "tier": "gold", "price": PRICE}
WAITING = (
    "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND (database IS NULL"
    " OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


@asynccontextmanager
async def held_up(rig: Rig, table: str, writers: int, *calls: Awaitable[Any]) -> AsyncGenerator[list[Any]]:
    """The answers of these calls, all under way at the same time: nobody could write the table until then."""
    async with await psycopg.AsyncConnection.connect(rig.owner_url) as conn:
        await conn.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        under_way = [asyncio.ensure_future(call) for call in calls]

        async def waiting() -> bool:
            return (await rig.rows(WAITING))[0][0] >= writers

        await until(waiting)
        await conn.rollback()
        yield list(await asyncio.gather(*under_way))


def seen(answer: Any) -> tuple[int, Any, Any]:
    """What a caller sees of an answer: status, body, ETag."""
    return answer.status_code, answer.json(), answer.headers.get("etag")


class TestConditions:
    async def test_nothing_there__if_match_any_is_412_and_creates_nothing(self, rig: Rig) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        for header in ("*", '"0"', '"1"'):
            refused = await admin.put(path, PRODUCT, If_Match=header)
            assert (refused.status_code, refused.json()["code"]) == (412, "stale_version")
        assert (await admin.get(path)).status_code == 404
        practitioner = f"/v1/practitioners/{uuid4()}"
        assert (await admin.put(practitioner, {"name": "Budi"}, If_Match="*")).status_code == 412
        assert (await admin.get(practitioner)).status_code == 404

    async def test_something_there__if_none_match_any_is_412_and_writes_nothing(self, rig: Rig) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        assert (await admin.put(path, PRODUCT, If_None_Match="*")).status_code == 201
        for header in ("*", '"1"', 'W/"1"'):
            assert (await admin.put(path, {**PRODUCT, "name": "Lain"}, If_None_Match=header)).status_code == 412
        assert (await admin.get(path)).json()["name"] == "Konseling"
        assert (await admin.put("/v1/me", {"name": "Ani"}, If_None_Match="*")).status_code == 412

    @pytest.mark.parametrize("header", ['W/"1"', '"1-gzip"', '"1--gzip"', '"7", "1"', "*"])
    async def test_version_1__what_a_proxy_made_of_its_tag_still_names_it(self, rig: Rig, header: str) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        await admin.put(path, PRODUCT)
        assert (await admin.put(path, PRODUCT, If_Match=header)).json()["version"] == 2
        assert (await admin.put(path, PRODUCT, If_Match='"1"')).status_code == 412

    @pytest.mark.parametrize("header", ["1", '"1', "anything", ""])
    async def test_malformed__400_that_names_the_form_and_changes_nothing(self, rig: Rig, header: str) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        await admin.put(path, PRODUCT)
        for name in ("If_Match", "If_None_Match"):
            refused = await admin.put(path, PRODUCT, **{name: header})
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
            assert '"3"' in refused.json()["detail"]
            assert (await admin.get(path, **{name: header})).status_code == 400
        assert (await admin.get(path)).json()["version"] == 1

    async def test_reads__304_with_the_etag_while_it_holds(self, rig: Rig) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        await admin.put(path, PRODUCT)
        for header in ('"1"', 'W/"1"', '"1-gzip"', "*", '"7", "1"'):
            same = await admin.get(path, If_None_Match=header)
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", '"1"')
            assert "content-length" not in same.headers
        assert (await admin.get(path, If_None_Match='"2"')).json()["version"] == 1
        assert (await admin.get(path, If_Match='"2"')).status_code == 412


class TestReplays:
    async def test_the_row_moved_on__a_replay_is_the_first_answer(self, rig: Rig) -> None:
        """Promise 1; the key is asked before If-Match, which the success itself made stale."""
        admin, person = rig.caller("admin"), rig.caller("practitioner", name="Budi")
        await person.get("/v1/me")
        writes = [
            (admin, f"/v1/products/{uuid4()}", PRODUCT, {**PRODUCT, "name": "Lain"}, {"If_None_Match": "*"}),
            (admin, f"/v1/practitioners/{uuid4()}", {"name": "Ani"}, {"bio": "Halo"}, {"If_None_Match": "*"}),
            (person, "/v1/me", {"email": "a@example.com"}, {"email": "b@example.com"}, {"If_Match": '"1"'}),
        ]
        for caller, path, body, later, condition in writes:
            key = str(uuid4())
            first = await caller.put(path, body, Idempotency_Key=key, **condition)
            assert first.is_success, first.text
            assert (await caller.put(path, later)).json()["version"] == first.json()["version"] + 1
            again = await caller.put(path, body, Idempotency_Key=key, **condition)
            assert seen(again) == seen(first)

    async def test_review__a_replay_is_the_first_answer(self, shop: Shop) -> None:
        transaction = await shop.bought()
        unknown = str(uuid4())
        await shop.rig.notify(manual(transaction["id"], amount=1), "manual")
        await shop.rig.notify(manual(unknown), "manual")
        reviews = (await shop.admin.get("/v1/payment-reviews?limit=200")).json()["items"]
        for reference in (transaction["id"], unknown):
            review = next(one for one in reviews if one["reference"] == reference)
            path, key = f"/v1/payment-reviews/{review['id']}/settle", str(uuid4())
            body = {"outcome": "dismiss", "reason": "Salah"}
            assert (await shop.admin.post(path, body, If_Match='"9"')).status_code == 412
            first = await shop.admin.post(path, body, Idempotency_Key=key, If_Match='"1"')
            assert (first.status_code, first.headers["etag"]) == (200, '"2"')
            await shop.rig.rows("UPDATE payment_review SET version = version + 1, state = 'open', outcome = NULL"
                                " WHERE id = %s", review["id"])  # fmt: skip
            again = await shop.admin.post(path, body, Idempotency_Key=key, If_Match='"1"')
            assert seen(again) == seen(first)

    async def test_erasure__takes_the_kept_answers_along(self, rig: Rig) -> None:
        """E4."""
        admin, person = rig.caller("admin"), rig.caller("practitioner", name="Budi")
        await person.put("/v1/me", {"email": "gone@example.com"}, Idempotency_Key="me")
        path = f"/v1/practitioners/{person.id}"
        body = {"name": "Budi", "phone": "+6281234567890"}
        assert (await admin.put(path, body, Idempotency_Key=f"him-{person.id}")).is_success
        kept = "SELECT count(*) FROM idempotency WHERE answer LIKE %s OR answer LIKE %s"
        private = ("%gone@example.com%", f"%{person.id}%")
        assert await rig.rows(kept, *private) == [(2,)]
        assert (await admin.put(f"/v1/erasures/{person.id}")).is_success
        assert await rig.rows(kept, *private) == [(0,)]
        assert (await admin.put(path, body, Idempotency_Key=f"him-{person.id}")).status_code == 403


class TestAtOnce:
    async def test_two_first_puts_of_a_product__become_versions_1_and_2(self, rig: Rig) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        await admin.get("/v1/me")
        async with held_up(rig, "product", 2, admin.put(path, PRODUCT), admin.put(path, PRODUCT)) as answers:
            assert sorted((one.status_code, one.json()["version"]) for one in answers) == [(200, 2), (201, 1)]

    async def test_two_first_puts_of_a_product_if_new__one_is_refused(self, rig: Rig) -> None:
        admin, path = rig.caller("admin"), f"/v1/products/{uuid4()}"
        await admin.get("/v1/me")
        puts = [admin.put(path, PRODUCT, If_None_Match="*") for _ in range(2)]
        async with held_up(rig, "product", 2, *puts) as answers:
            assert sorted(one.status_code for one in answers) == [201, 412]

    async def test_two_first_puts_of_a_profile__neither_undoes_the_other(self, rig: Rig) -> None:
        """The practitioner's own and an admin's: tiers and phone of the one, the words of the other."""
        admin, person = rig.caller("admin"), rig.caller("practitioner", name="Budi")
        path = f"/v1/practitioners/{person.id}"
        for caller in (admin, person):
            await caller.get("/v1/me")
        puts = [admin.put(path, {"tiers": ["gold"], "active": True}), person.put(path, {"bio": "Halo"})]
        async with held_up(rig, "practitioner", 2, *puts) as answers:
            assert sorted(one.json()["version"] for one in answers) == [1, 2]
        now = (await admin.get(path)).json()
        assert (now["tiers"], now["bio"], now["version"]) == (["gold"], "Halo", 2)

    async def test_first_call_against_an_admins_first_put__keeps_what_both_say(self, rig: Rig) -> None:
        admin, person = rig.caller("admin"), rig.caller("practitioner", name="Budi", email="budi@example.com")
        path = f"/v1/practitioners/{person.id}"
        await admin.get("/v1/me")
        calls = [admin.put(path, {"name": "Budi", "phone": "+6281234567890"}), person.get("/v1/me")]
        async with held_up(rig, "person", 2, *calls) as answers:
            assert all(one.is_success for one in answers)
        me = (await person.get("/v1/me")).json()
        assert (me["phone"], me["email"], me["version"]) == ("+6281234567890", "budi@example.com", 2)

    async def test_erase_against_put__no_deadlock_and_nothing_is_left(self, rig: Rig) -> None:
        admin, person = rig.caller("admin"), rig.caller("practitioner", name="Budi")
        path = f"/v1/practitioners/{person.id}"
        assert (await admin.put(path, {"name": "Budi"})).status_code == 201
        await person.get("/v1/me")
        calls = [admin.put(f"/v1/erasures/{person.id}"), admin.put(path, {"bio": "Halo"})]
        async with held_up(rig, "practitioner", 2, *calls) as answers:
            assert [answers[0].status_code, answers[1].status_code] in ([200, 200], [200, 403])
        assert (await admin.get(path)).status_code == 404

    async def test_erase_against_own_put__nothing_is_left(self, rig: Rig) -> None:
        admin, person = rig.caller("admin"), rig.caller("member", name="Budi")
        await person.get("/v1/me")
        await admin.get("/v1/me")
        calls = [
            admin.put(f"/v1/erasures/{person.id}"),
            person.put("/v1/me", {"email": "x@example.com"}, Idempotency_Key="a"),
        ]
        async with held_up(rig, "person", 2, *calls) as answers:
            assert answers[0].status_code == 200
            assert answers[1].status_code in {200, 403}
        assert await rig.rows("SELECT email FROM person WHERE id = %s", person.id) == [(None,)]
        assert await rig.rows("SELECT 1 FROM idempotency WHERE sub = %s AND answer IS NOT NULL", str(person.id)) == []


class TestTags:
    async def test_own_phone_changes__the_profile_that_shows_it_has_a_new_tag(self, shop: Shop) -> None:
        path = f"/v1/practitioners/{shop.practitioner.id}"
        await shop.practitioner.get("/v1/me")
        before = await shop.admin.get(path)
        await shop.practitioner.put("/v1/me", {"phone": "+6281234567891"})
        after = await shop.admin.get(path)
        assert before.json()["phone"] != after.json()["phone"]
        assert before.headers["etag"] != after.headers["etag"]
        stale = await shop.admin.put(path, {"phone": "+6281234567890"}, If_Match=before.headers["etag"])
        assert (stale.status_code, stale.json()["current_version"]) == (412, after.json()["version"])

    async def test_first_call_brings_an_email__the_profile_that_shows_it_has_a_new_tag(self, shop: Shop) -> None:
        path = f"/v1/practitioners/{shop.practitioner.id}"
        before = await shop.admin.get(path)
        await shop.rig.caller("practitioner", sub=shop.practitioner.id, email="own@example.com").get("/v1/me")
        after = await shop.admin.get(path)
        assert (before.json()["email"], after.json()["email"]) == (None, "own@example.com")
        assert before.headers["etag"] != after.headers["etag"]

    async def test_payment_page_comes__the_transaction_has_a_new_tag(self, shop: Shop) -> None:
        transaction = await shop.bought()
        path = f"/v1/transactions/{transaction['id']}"
        before = await shop.member.get(path)
        await shop.rig.rows("UPDATE payment_session SET redirect_url = 'https://example.com/new'"
                            " WHERE transaction_id = %s", transaction["id"])  # fmt: skip
        after = await shop.member.get(path)
        assert before.json()["version"] == after.json()["version"]
        assert (await shop.member.get(path, If_None_Match=after.headers["etag"])).status_code == 304
        assert (await shop.member.get(path, If_None_Match=before.headers["etag"])).json() == after.json()
