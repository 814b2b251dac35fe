"""`?wait_for=paid`: a long poll that ends when there is news, in time, with its caller, and with its process (P3)."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from services.checkout.tests.rig import Shop
from tests.rigs.service import Caller, round_trips
from tests.rigs.waiting import until

from checkout.transactions.waiting import Waiting

pytestmark = pytest.mark.servers


@dataclass
class Begun:
    """Set as soon as somebody waits, and where."""

    event: asyncio.Event
    waiting: Waiting | None = None

    async def wait(self) -> None:
        async with asyncio.timeout(60):
            await self.event.wait()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    noted, settled = Begun(asyncio.Event()), Waiting.settled

    async def note(self: Waiting, *arguments: Any) -> None:
        noted.waiting = self
        noted.event.set()
        await settled(self, *arguments)

    monkeypatch.setattr(Waiting, "settled", note)
    return noted


async def waiter(caller: Caller, transaction: dict[str, Any], begun: Begun, query: str = "") -> Any:
    """A request that waits by now."""
    path = f"/v1/transactions/{transaction['id']}?wait_for=paid{query}"
    request = asyncio.create_task(caller.get(path))
    await begun.wait()
    assert not request.done()
    return request


async def test_paid_meanwhile__is_answered_at_once(shop: Shop, begun: Begun) -> None:
    bought = await shop.bought()
    request = await waiter(shop.member, bought, begun)
    await shop.pay(bought)
    async with asyncio.timeout(20):  # not the 30 seconds of the wait
        answer = await request
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    assert answer.headers["ETag"] == (await shop.member.get(f"/v1/transactions/{bought['id']}")).headers["ETag"]


async def test_canceled_meanwhile__waits_no_longer_in_vain(shop: Shop, begun: Begun) -> None:
    bought = await shop.bought()
    request = await waiter(shop.member, bought, begun)
    await shop.member.post(f"/v1/transactions/{bought['id']}/cancel")
    async with asyncio.timeout(20):
        assert (await request).json()["status"] == "canceled"


async def test_nothing_happens__it_is_shown_as_it_is_and_304_while_the_tag_holds(shop: Shop) -> None:
    bought = await shop.bought()
    path = f"/v1/transactions/{bought['id']}?wait_for=paid&wait_for_seconds=0.05"
    answer = await shop.member.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "awaiting_payment")
    assert (await shop.member.get(path, If_None_Match=answer.headers["ETag"])).status_code == 304


async def test_paid_before__is_answered_without_a_wait_by_one_read(shop: Shop) -> None:
    paid = await shop.paid()
    with round_trips() as asked:
        answer = await shop.member.get(f"/v1/transactions/{paid['id']}?wait_for=paid")
    assert (answer.json()["status"], asked.count) == ("paid", 2)


async def test_somebody_elses__is_404_at_once(shop: Shop) -> None:
    """E1: how long it takes tells nobody that it is there."""
    bought = await shop.bought()
    for id_ in (bought["id"], uuid4()):
        async with asyncio.timeout(20):
            answer = await shop.rig.caller("member").get(f"/v1/transactions/{id_}?wait_for=paid")
        assert answer.status_code == 404


async def test_longer_than_allowed__is_refused(shop: Shop) -> None:
    bought = await shop.bought()
    for query in ("wait_for=paid&wait_for_seconds=31", "wait_for=refunded"):
        assert (await shop.member.get(f"/v1/transactions/{bought['id']}?{query}")).status_code == 422


async def test_stop__answers_who_waits(shop: Shop, begun: Begun) -> None:
    bought, closing = await shop.bought(), shop.rig.app.state.health.closing
    request = await waiter(shop.member, bought, begun)
    closing.set()
    try:
        async with asyncio.timeout(20):
            answer = await request
    finally:
        closing.clear()
    assert (answer.status_code, answer.json()["status"]) == (200, "awaiting_payment")


async def test_caller_gone__nobody_waits_or_looks_for_them_any_more(shop: Shop, begun: Begun) -> None:
    bought, gone = await shop.bought(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    path = f"/v1/transactions/{bought['id']}"
    headers = [(name.lower().encode(), value.encode()) for name, value in shop.member.headers.items()]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"wait_for=paid", "headers": headers}
    call = asyncio.create_task(shop.rig.app({**scope, "root_path": ""}, receive, send))
    await begun.wait()
    waiting = begun.waiting
    assert waiting is not None
    await until(lambda: waiting._waiting)
    gone.set()
    async with asyncio.timeout(20):  # not the 30 seconds of the wait
        await call
    assert waiting._waiting == {}
    looking = waiting._looking
    assert looking is not None
    await until(looking.done)


async def test_many_who_wait__are_all_told(shop: Shop) -> None:
    sold = [await shop.bought() for _ in range(5)]
    requests = [
        asyncio.create_task(shop.member.get(f"/v1/transactions/{one['id']}?wait_for=paid"))
        for one in sold
        for _ in range(3)
    ]
    for one in sold:
        await shop.pay(one)
    async with asyncio.timeout(25):
        answers = await asyncio.gather(*requests)
    assert {answer.json()["status"] for answer in answers} == {"paid"}
