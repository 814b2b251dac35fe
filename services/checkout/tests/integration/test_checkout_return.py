"""Where a member returns to from paying: a page of an allowed origin, told to the provider and then forgotten (P3)."""

import pytest
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Shop

pytestmark = pytest.mark.servers

PAGE = "https://app.example/orders?from=checkout"


async def _kept(shop: Shop, transaction_id: str) -> object:
    rows = await shop.rig.rows("SELECT return_url FROM payment_session WHERE transaction_id = %s", transaction_id)
    return rows[0][0]


@pytest.mark.parametrize(
    "page", [PAGE, "https://app.example", "https://APP.example:443/a", "http://127.0.0.1:5173/orders/1"]
)
async def test_page_of_an_allowed_origin__is_told_to_the_provider_as_it_is(
    shop: Shop, provider: MidtransServer, page: str
):
    bought = (await shop.buy(return_url=page)).json()
    assert provider.asked[bought["id"]]["callbacks"] == {"finish": page}
    assert await _kept(shop, bought["id"]) is None, "the provider knows it"


async def test_no_page__the_provider_is_told_none(shop: Shop, provider: MidtransServer):
    bought = await shop.bought()
    assert "callbacks" not in provider.asked[bought["id"]]


async def test_provider_down__a_worker_tells_it_later(shop: Shop, provider: MidtransServer):
    provider.mode = "down"
    bought = (await shop.buy(return_url=PAGE)).json()
    assert await _kept(shop, bought["id"]) == PAGE
    provider.mode = "ok"
    await shop.rig.rows("UPDATE payment_session SET next_attempt_at = now() WHERE transaction_id = %s", bought["id"])
    await shop.rig.step("payment-pages")
    assert provider.asked[bought["id"]]["callbacks"] == {"finish": PAGE}
    assert await _kept(shop, bought["id"]) is None


async def test_canceled_before_there_was_a_page__nothing_is_kept(shop: Shop, provider: MidtransServer):
    provider.mode = "down"
    bought = (await shop.buy(return_url=PAGE)).json()
    assert (await shop.member.post(f"/v1/transactions/{bought['id']}/cancel", {})).status_code == 200
    assert await _kept(shop, bought["id"]) is None


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/orders",
        "https://app.example.evil.example/",
        "http://app.example/",
        "https://app.example:8443/",
        "http://127.0.0.1:5174/",
        "http://localhost:5173/",
    ],
)
async def test_page_of_another_origin__is_refused_and_nothing_bought(shop: Shop, page: str):
    answer = await shop.buy(return_url=page)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "return_url_not_allowed")
    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [("/return_url", "not_allowed")]
    assert (await shop.member.get("/v1/transactions")).json()["items"] == []


@pytest.mark.parametrize(
    "page",
    [
        "", "orders", "//app.example/", "javascript:alert(1)", "https://app.example@evil.example/", "https://",
        "https://app.example\\@evil.example/", "https://app.example/#done", "https://app.example/a b",
        "https://app.example:99999/", "https://app.example/" + "a" * 2048, "https://[app.example/",
    ],
)  # fmt: skip
async def test_what_is_no_page__is_refused_at_its_field(shop: Shop, page: str):
    answer = await shop.buy(return_url=page)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/return_url"]
