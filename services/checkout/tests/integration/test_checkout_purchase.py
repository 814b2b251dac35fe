"""Products, buying, canceling, rights and idempotency (P1 to P3, E1, E2, E5, I14)."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from services.checkout.tests.given import AWAITING, after
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Rig, Shop
from tests.rigs.waiting import until

from checkout.payments.midtrans import Caller
from checkout.payments.provider import ProviderDownError
from checkout.transactions.state import Absent
from checkout.transactions.store import read_at, read_row

pytestmark = pytest.mark.servers


async def test_bought__the_pair_is_locked_and_the_price_copied(shop: Shop) -> None:
    """P1, P2, P3."""
    bought = await shop.bought()
    assert bought["status"] == "awaiting_payment"
    assert bought["price"] == {"amount": 250_000, "currency": "IDR"}
    assert bought["practitioner_id"] == str(shop.practitioner.id)
    assert bought["payment"]["redirect_url"].startswith(shop.rig.provider.address)
    assert bought["payment"]["reference"] == bought["id"]
    assert (bought["version"], bought["refund"]) == (2, None)
    await shop.offer(price={"amount": 999_000, "currency": "IDR"})
    assert (await shop.seen(bought))["price"] == {"amount": 250_000, "currency": "IDR"}
    assert await shop.rig.types(bought["id"]) == ["TransactionCreated", "PractitionerAssigned"]


async def test_bought__answers_carry_version_and_consistency_token(shop: Shop) -> None:
    answer = await shop.buy()
    assert answer.headers["ETag"].startswith('"2.')
    assert answer.headers["Consistency-Token"]


async def test_inactive_practitioner__cannot_be_chosen(shop: Shop) -> None:
    """P1."""
    await shop.introduce(shop.practitioner.id, active=False)
    answer = await shop.buy()
    assert (answer.status_code, answer.json()["code"]) == (409, "practitioner_not_available")


async def test_another_tier__cannot_be_chosen(shop: Shop) -> None:
    """P1."""
    await shop.offer(tier=f"other-{uuid4().hex}")
    answer = await shop.buy()
    assert (answer.status_code, answer.json()["code"]) == (409, "practitioner_not_available")


async def test_inactive_product__is_not_sold(shop: Shop) -> None:
    """P1."""
    await shop.offer(active=False)
    assert (await shop.buy()).json()["code"] == "product_not_available"


async def test_own_practitioner__cannot_be_bought_from(shop: Shop) -> None:
    """P1."""
    both = shop.rig.caller("member", "practitioner", sub=shop.practitioner.id)
    body = {"product_id": str(shop.product), "practitioner_id": str(shop.practitioner.id)}
    assert (await both.post("/v1/transactions", body)).json()["code"] == "own_practitioner"


@pytest.mark.parametrize("missing", ["product_id", "practitioner_id"])
async def test_unknown_product_or_practitioner__not_found(shop: Shop, missing: str) -> None:
    body = {"product_id": str(shop.product), "practitioner_id": str(shop.practitioner.id), missing: str(uuid4())}
    assert (await shop.member.post("/v1/transactions", body)).status_code == 404


async def test_provider_down__bought_without_a_page_until_a_worker_gets_one(
    shop: Shop, provider: MidtransServer
) -> None:
    """P3: commit first, then ask."""
    provider.mode = "down"
    bought = await shop.bought()
    assert bought["payment"]["redirect_url"] is None
    await shop.rig.rows("UPDATE payment_session SET next_attempt_at = now() WHERE transaction_id = %s", bought["id"])
    await shop.rig.step("payment-pages")
    assert (await shop.seen(bought))["payment"]["redirect_url"] is None
    provider.mode = "ok"

    async def paged() -> str | None:
        await shop.rig.step("payment-pages")
        return (await shop.seen(bought))["payment"]["redirect_url"]

    assert await until(paged)


@pytest.mark.parametrize("mode", ["html", "huge", "flood", "redirect", "elsewhere", "lost"])
async def test_provider_lies__bought_without_a_page(shop: Shop, provider: MidtransServer, mode: str) -> None:
    """T28: an untrusted reply never fails the purchase and never sends the member elsewhere."""
    provider.mode = mode
    assert (await shop.bought())["payment"]["redirect_url"] is None


async def test_provider_drips__the_deadline_is_for_the_whole_reply(provider: MidtransServer) -> None:
    """T28: each byte comes in time, the reply never does."""
    provider.mode = "drip"
    caller = Caller(username="key", deadline=2.0)
    with pytest.raises(ProviderDownError, match="no answer in time"):
        await asyncio.wait_for(caller.call("GET", f"{provider.address}/v2/1/status"), 60)
    assert provider.sent > 5, "it did send"
    await caller.close()


async def test_twenty_unpaid__the_next_is_refused_under_concurrency(shop: Shop) -> None:
    """T8: at most 20 unpaid Transactions of one member, however many ask at once."""
    answers = await asyncio.gather(*(shop.buy() for _ in range(26)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 20 + [409] * 6
    assert {answer.json().get("code") for answer in answers if answer.status_code == 409} == {"too_many_unpaid"}
    first = next(answer.json() for answer in answers if answer.status_code == 201)
    assert (await shop.member.post(f"/v1/transactions/{first['id']}/cancel")).status_code == 200
    assert (await shop.buy()).status_code == 201


async def test_twins__both_get_the_first_answer(shop: Shop) -> None:
    """I14: the same key at once, also where the first fills the last free place."""
    for _ in range(19):
        await shop.bought()
    key = str(uuid4())
    answers = await asyncio.gather(*(shop.buy(Idempotency_Key=key) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    again = await shop.buy(Idempotency_Key=key)
    assert again.json()["id"] == answers[0].json()["id"]


async def test_replay__shows_the_version_of_then(shop: Shop) -> None:
    """I14: rendered from the stream at the remembered version."""
    key = str(uuid4())
    bought = (await shop.buy(Idempotency_Key=key)).json()
    await shop.pay(bought)
    again = await shop.buy(Idempotency_Key=key)
    assert (again.status_code, again.json()["status"], again.json()["version"]) == (201, "awaiting_payment", 2)


async def test_key_reused__with_another_body_is_refused(shop: Shop) -> None:
    key = str(uuid4())
    assert (await shop.buy(Idempotency_Key=key)).status_code == 201
    body = {"product_id": str(uuid4()), "practitioner_id": str(shop.practitioner.id)}
    answer = await shop.member.post("/v1/transactions", body, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_canceled_twins__the_second_is_a_replay_not_a_refusal(shop: Shop) -> None:
    """I14."""
    bought, key = await shop.bought(), str(uuid4())
    path = f"/v1/transactions/{bought['id']}/cancel"
    answers = await asyncio.gather(
        *(shop.member.post(path, {"reason": "Batal"}, Idempotency_Key=key) for _ in range(6))
    )
    assert {(a.status_code, a.json()["status"]) for a in answers} == {(200, "canceled")}
    assert (await shop.rig.types(bought["id"])).count("TransactionCanceled") == 1


async def test_canceled__a_second_cancel_names_the_status(shop: Shop) -> None:
    """P3."""
    bought = await shop.bought()
    path = f"/v1/transactions/{bought['id']}/cancel"
    assert (await shop.member.post(path)).json()["status"] == "canceled"
    answer = await shop.member.post(path)
    assert (answer.status_code, answer.json()["code"], answer.json()["current_status"]) == (
        409,
        "wrong_status",
        "canceled",
    )


async def test_stale_version__is_refused_and_loses_nothing(shop: Shop) -> None:
    bought = await shop.bought()
    path = f"/v1/transactions/{bought['id']}/cancel"
    assert (await shop.member.post(path, None, If_Match='"1"')).status_code == 412
    assert (await shop.member.post(path, None, If_Match='"2"')).status_code == 200


async def test_history__shows_the_reason_to_member_practitioner_and_admin(shop: Shop) -> None:
    """E2."""
    bought = await shop.bought()
    await shop.member.post(f"/v1/transactions/{bought['id']}/cancel", {"reason": "Salah pilih"})
    path = f"/v1/transactions/{bought['id']}/history"
    for who in (shop.member, shop.practitioner, shop.admin):
        items = (await who.get(path)).json()["items"]
        assert [item["version"] for item in items] == [3, 2, 1]
        assert items[0]["reason"] == "Salah pilih"
        assert "Salah pilih" not in str(items[0]["data"])


async def test_history__is_paged_as_every_list(shop: Shop) -> None:
    bought = await shop.bought()
    await shop.member.post(f"/v1/transactions/{bought['id']}/cancel", {})
    path = f"/v1/transactions/{bought['id']}/history?limit=2"
    first = (await shop.member.get(path)).json()
    last = (await shop.member.get(f"{path}&cursor={first['next_cursor']}")).json()
    assert [[item["version"] for item in page["items"]] for page in (first, last)] == [[3, 2], [1]]
    assert last["next_cursor"] is None
    other = await shop.bought()
    foreign = await shop.member.get(f"/v1/transactions/{other['id']}/history?cursor={first['next_cursor']}")
    assert (foreign.status_code, foreign.json()["code"]) == (422, "invalid_cursor")


async def test_as_of__shows_what_was_recorded_by_then(shop: Shop) -> None:
    """E5."""
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    bought = await shop.bought()
    between = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await shop.pay(bought)
    path = f"/v1/transactions/{bought['id']}"
    past = (await shop.member.get(f"{path}?as_of={between}")).json()
    assert (past["status"], past["version"]) == ("awaiting_payment", 2)
    assert (await shop.member.get(f"{path}?as_of={before}")).status_code == 404
    assert (await shop.member.get(f"{path}?as_of=2999-01-01T00:00:00Z")).json()["status"] == "paid"


async def test_list__own_newest_first_in_pages(shop: Shop) -> None:
    ids = [(await shop.bought())["id"] for _ in range(5)]
    seen: list[str] = []
    cursor, page = "", {}
    for _ in range(3):
        page = (await shop.member.get(f"/v1/transactions?limit=2{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    assert page["next_cursor"] is None
    mine = (await shop.admin.get(f"/v1/transactions?user_id={shop.member.id}")).json()["items"]
    assert len(mine) == 5
    assert (await shop.rig.caller("member").get("/v1/transactions")).json()["items"] == []


async def test_read_rows__equal_the_fold_of_their_streams(rig: Rig) -> None:
    """I6: row for row, whatever the tests before have done; and the counter of unpaid ones with them."""
    columns = [name for name in read_row_columns() if name != "expires_at"]  # moved by tests that let time pass
    rows = await rig.rows(f"SELECT id, version, {', '.join(columns)} FROM transaction")
    assert rows
    async with rig.service.database.autocommit() as conn:
        for id_, version, *values in rows:
            state, reached = await read_at(conn, id_)
            assert not isinstance(state, Absent)
            fold = read_row(state)
            assert (reached, [fold[name] for name in columns]) == (version, values)
    counted = await rig.rows("SELECT user_id, open FROM unpaid WHERE open > 0 ORDER BY 1")
    awaiting = "SELECT user_id, count(*) FROM transaction WHERE status = 'awaiting_payment' GROUP BY 1 ORDER BY 1"
    assert counted == await rig.rows(awaiting)


def read_row_columns() -> list[str]:
    """The read table's own columns but id and version."""
    return list(read_row(after(*AWAITING)))  # pyright: ignore[reportArgumentType]


class TestRights:
    """E1, T1, T7: what is not theirs does not exist for them."""

    async def test_stranger__sees_and_changes_nothing(self, shop: Shop) -> None:
        bought = await shop.bought()
        path = f"/v1/transactions/{bought['id']}"
        for stranger in (shop.rig.caller("member"), shop.rig.caller("practitioner", "member")):
            assert (await stranger.get(path)).status_code == 404
            assert (await stranger.get(f"{path}/history")).status_code == 404
            assert (await stranger.post(f"{path}/cancel")).status_code == 404
        assert (await shop.seen(bought))["status"] == "awaiting_payment"

    async def test_member__may_not_do_an_admins_work(self, shop: Shop) -> None:
        bought = await shop.bought()
        path = f"/v1/transactions/{bought['id']}"
        other = {"practitioner_id": str(uuid4()), "reason": "x"}
        assert (await shop.member.post(f"{path}/refund", {"reason": "x"})).status_code == 403
        assert (await shop.member.put(f"{path}/practitioner", other)).status_code == 403
        assert (await shop.member.put(f"/v1/products/{uuid4()}", {})).status_code in (403, 422)
        assert (await shop.member.get("/v1/payment-reviews")).status_code == 403
        assert (await shop.member.put(f"/v1/erasures/{shop.member.id}")).status_code == 403
        assert (await shop.practitioner.get(f"/v1/practitioners?product_id={shop.product}")).status_code == 403
        assert (await shop.practitioner.post("/v1/transactions", {})).status_code in (403, 422)

    async def test_nobody__without_a_token(self, rig: Rig) -> None:
        for path in ("/v1/products", "/v1/transactions", "/v1/me", "/v1/payment-reviews"):
            assert (await rig.http.get(path)).status_code == 401

    async def test_undeclared_fields__are_refused(self, shop: Shop) -> None:
        """T5."""
        body = {"product_id": str(shop.product), "practitioner_id": str(shop.practitioner.id), "price": {"amount": 1}}
        assert (await shop.member.post("/v1/transactions", body)).status_code == 422


class TestCatalogue:
    async def test_put__creates_then_changes(self, shop: Shop) -> None:
        body = {"name": "Verifikasi", "kind": "verification", "tier": "gold", "price": {"amount": 1, "currency": "USD"}}
        path = f"/v1/products/{uuid4()}"
        created = await shop.admin.put(path, body)
        assert (created.status_code, created.json()["version"]) == (201, 1)
        assert created.json()["request_limit_minutes"] == 10_080
        changed = await shop.admin.put(path, {**body, "active": False}, If_Match='"1"')
        assert (changed.status_code, changed.json()["active"], changed.headers["ETag"]) == (200, False, '"2"')
        assert (await shop.admin.put(path, body, If_Match='"1"')).status_code == 412
        assert (await shop.member.get(path)).json()["price"] == {"amount": 1, "currency": "USD"}

    async def test_put__with_a_key_changes_once(self, shop: Shop) -> None:
        body = {"name": "A", "kind": "verification", "tier": "gold", "price": {"amount": 1, "currency": "USD"}}
        path, key = f"/v1/products/{uuid4()}", str(uuid4())
        answers = [await shop.admin.put(path, body, Idempotency_Key=key) for _ in range(2)]
        assert [(a.status_code, a.json()["version"]) for a in answers] == [(201, 1), (201, 1)]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"price": {"amount": 0, "currency": "IDR"}},
            {"price": {"amount": 1.5, "currency": "IDR"}},
            {"price": {"amount": 1, "currency": "XYZ"}},
            {"kind": "other"},
            {"name": "a\u0007b"},
            {"duration_minutes": 0},
            {"unknown": 1},
        ],
    )
    async def test_put__nonsense_is_refused(self, shop: Shop, wrong: dict) -> None:
        body = {"name": "A", "kind": "verification", "tier": "gold", "price": {"amount": 1, "currency": "USD"}}
        assert (await shop.admin.put(f"/v1/products/{uuid4()}", {**body, **wrong})).status_code == 422
