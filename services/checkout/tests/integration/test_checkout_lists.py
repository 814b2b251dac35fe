"""What a screen asks of sales, the catalogue and the directory: joins, filters, what may be done."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from services.checkout.tests.rig import Rig, Shop
from services.checkout.tests.sessions import Session
from tests.rigs.service import Caller, round_trips

pytestmark = pytest.mark.servers


def session_of(shop: Shop, transaction: dict[str, Any]) -> Session:
    return Session(shop.practitioner.id, UUID(transaction["id"]), shop.member.id)


async def items(caller: Caller, path: str) -> list[dict[str, Any]]:
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


class TestTransactions:
    async def test_list__shows_names_and_session_by_one_statement(self, shop: Shop) -> None:
        """However many rows: beside the caller's presence one statement."""
        sold = [await shop.paid() for _ in range(4)]
        session = session_of(shop, sold[1])
        await shop.rig.take(session.requested(), session.started())
        counts: list[int] = []
        for limit in (1, 4):
            with round_trips() as asked:
                found = await items(shop.member, f"/v1/transactions?limit={limit}")
            counts.append(asked.count)
        assert counts == [2, 2]
        assert {(one["practitioner_name"], one["member_name"]) for one in found} == {("Budi", "Sari")}
        shown = {one["id"]: one["session"] for one in found}
        assert shown.pop(sold[1]["id"]) == {"id": str(session.id), "status": "on_progress"}
        assert set(shown.values()) == {None}
        of_all = await items(shop.admin, f"/v1/transactions?user_id={shop.member.id}")
        assert [one["session"] for one in of_all] == [one["session"] for one in found]

    async def test_session__is_the_one_that_has_begun_else_the_latest(self, shop: Shop) -> None:
        """P2: what a reassignment is judged by is what is shown."""
        sold = await shop.paid()
        first, second = (session_of(shop, sold) for _ in range(2))
        first.id, second.id = sorted((first.id, second.id))
        await shop.rig.take(first.requested(), first.canceled(), second.requested())
        assert (await shop.seen(sold))["session"] == {"id": str(second.id), "status": "pending_negotiation"}
        third = session_of(shop, sold)
        third.id = UUID(int=0)
        await shop.rig.take(third.requested(), third.started())
        assert (await shop.seen(sold))["session"] == {"id": str(third.id), "status": "on_progress"}

    async def test_session_that_moves__changes_the_tag(self, shop: Shop) -> None:
        sold = await shop.paid()
        path = f"/v1/transactions/{sold['id']}"
        before = (await shop.member.get(path)).headers["ETag"]
        assert (await shop.member.get(path, If_None_Match=before)).status_code == 304
        await shop.rig.take(session_of(shop, sold).requested())
        after = await shop.member.get(path, If_None_Match=before)
        assert (after.status_code, after.json()["version"]) == (200, sold["version"])

    async def test_allowed_commands__by_status_refund_session_and_caller(self, shop: Shop) -> None:
        async def told(sold: dict[str, Any]) -> list[list[str]]:
            path = f"/v1/transactions/{sold['id']}"
            return [(await one.get(path)).json()["allowed_commands"] for one in (shop.member, shop.admin)]

        unpaid, paid, begun = await shop.bought(), await shop.paid(), await shop.paid()
        assert unpaid["allowed_commands"] == ["cancel"]
        assert await told(unpaid) == [["cancel"], ["cancel", "reassign"]]
        assert await told(paid) == [[], ["refund", "reassign"]]
        session = session_of(shop, begun)
        await shop.rig.take(session.requested(), session.started())
        assert await told(begun) == [[], ["refund"]]
        refunding = await shop.admin.post(f"/v1/transactions/{paid['id']}/refund", {"reason": "Sakit"})
        assert refunding.json()["allowed_commands"] == []
        assert await told(paid) == [[], []]
        past = await shop.admin.get(f"/v1/transactions/{unpaid['id']}?as_of=2100-01-01T00:00:00Z")
        assert past.json()["allowed_commands"] == []

    async def test_ids__all_in_one_page_and_nobody_elses(self, shop: Shop, rig: Rig) -> None:
        """E1."""
        sold = [(await shop.bought())["id"] for _ in range(3)]
        other = (await (await rig.shop()).bought())["id"]
        asked = "&".join(f"ids={one}" for one in [*sold, other, uuid4()])
        own = (await shop.member.get(f"/v1/transactions?limit=1&{asked}")).json()
        assert ([one["id"] for one in own["items"]], own["next_cursor"]) == (sold[::-1], None)
        assert len(await items(shop.admin, f"/v1/transactions?limit=1&{asked}")) == 4
        refused = await shop.admin.get("/v1/transactions?" + "&".join(f"ids={uuid4()}" for _ in range(101)))
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_long")

    async def test_erased__their_names_are_gone(self, shop: Shop) -> None:
        """E4."""
        sold = await shop.paid()
        for person, erased in ((shop.practitioner, ["practitioner_name"]), (shop.member, None)):
            assert (await shop.admin.put(f"/v1/erasures/{person.id}")).is_success
            shown = (await shop.admin.get(f"/v1/transactions/{sold['id']}")).json()
            assert shown["erased"] == (erased or ["practitioner_name", "member_name"])
            assert [shown[name] for name in shown["erased"]] == [None] * len(shown["erased"])


class TestProducts:
    async def test_list__others_see_what_is_sold_an_admin_what_is_not_too(self, shop: Shop) -> None:
        tier = f"tier-{uuid4().hex[:8]}"
        ids: dict[str, str] = {}
        for kind, active in (("counseling", True), ("verification", True), ("counseling", False)):
            id_ = ids[f"{kind} {active}"] = str(uuid4())
            body = {"name": "x", "kind": kind, "tier": tier, "price": {"amount": 1, "currency": "IDR"}}
            await shop.admin.put(f"/v1/products/{id_}", {**body, "active": active})

        async def found(caller: Caller, query: str = "") -> set[str]:
            names = {id_: name for name, id_ in ids.items()}
            return {names[one["id"]] for one in await items(caller, f"/v1/products?tier={tier}{query}")}

        assert await found(shop.member) == {"counseling True", "verification True"}
        assert await found(shop.admin) == set(ids)
        assert await found(shop.admin, "&active=false&kind=counseling") == {"counseling False"}
        assert await found(shop.member, "&active=false") == set()
        assert await found(shop.member, "&kind=verification&active=true") == {"verification True"}


class TestDirectory:
    async def test_admin__finds_by_words_of_a_name_tier_and_active_in_the_order_of_names(self, shop: Shop) -> None:
        mark = uuid4().hex[:8]
        people = {f"budi {mark} Santoso": True, f"Ani {mark} Budiman": False, f"Cici {mark} Dewi": True}
        ids = {name: str(uuid4()) for name in people}
        for name, active in people.items():
            await shop.introduce(UUID(ids[name]), name=name, active=active)

        async def found(query: str) -> list[str]:
            return [one["name"] for one in await items(shop.admin, f"/v1/practitioner-directory?{query}")]

        assert await found(f"name={mark}") == sorted(people, key=str.lower)
        assert await found(f"name=BUD {mark[:5]}") == [f"Ani {mark} Budiman", f"budi {mark} Santoso"]
        assert await found(f"name={mark}&active=false") == [f"Ani {mark} Budiman"]
        assert await found(f"name={mark}&tier={shop.tier}&active=true") == [
            f"budi {mark} Santoso",
            f"Cici {mark} Dewi",
        ]
        assert await found("tier=nobody-serves-it") == []
        assert await found("name=%27%3A%26%21") == []
        seen, cursor = [], ""
        while cursor is not None:
            answer = (await shop.admin.get(f"/v1/practitioner-directory?name={mark}&limit=1&cursor={cursor}")).json()
            seen += [one["name"] for one in answer["items"]]
            cursor = answer["next_cursor"]
        assert seen == sorted(people, key=str.lower)
        await shop.admin.put(f"/v1/erasures/{ids[f'Cici {mark} Dewi']}")
        assert len(await found(f"name={mark}")) == 2

    async def test_ids__show_a_member_the_public_part(self, shop: Shop) -> None:
        other = uuid4()
        await shop.introduce(other, active=False, phone="+6281234567890")
        path = f"/v1/practitioner-directory?ids={other}&ids={shop.practitioner.id}&ids={uuid4()}"
        await shop.member.get("/v1/me")  # a first call writes the token's claims
        with round_trips() as asked:
            public = await items(shop.member, path)
        assert asked.count == 2
        assert {one["id"] for one in public} == {str(other), str(shop.practitioner.id)}
        assert not {"phone", "email", "active"} & {name for one in public for name in one}
        whole = {one["id"]: one for one in await items(shop.admin, path)}[str(other)]
        assert (whole["active"], whole["phone"]) == (False, "+6281234567890")

    async def test_all_of_it__is_an_admins(self, shop: Shop) -> None:
        answer = await shop.member.get("/v1/practitioner-directory")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?ids")
        assert (await shop.practitioner.get("/v1/practitioner-directory")).status_code == 403
