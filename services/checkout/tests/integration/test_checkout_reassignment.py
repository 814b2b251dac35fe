"""The locked pair and who may change it (P2)."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from services.checkout.tests.rig import Shop
from services.checkout.tests.sessions import Session
from tests.rigs.waiting import until

from booking_inbox.reading import read
from booking_store import Cause, CommandContext, handle
from checkout.transactions.commands import Candidate, Reassign
from checkout.transactions.store import TRANSACTION

pytestmark = pytest.mark.servers


async def another(shop: Shop) -> UUID:
    """A second practitioner of the tier."""
    other = uuid4()
    await shop.introduce(other)
    return other


async def reassign(shop: Shop, transaction: dict[str, Any], to: UUID, **headers: str) -> httpx2.Response:
    body = {"practitioner_id": str(to), "reason": "Berhalangan tetap"}
    return await shop.admin.put(f"/v1/transactions/{transaction['id']}/practitioner", body, **headers)


def session_of(shop: Shop, transaction: dict[str, Any], practitioner: UUID | None = None) -> Session:
    return Session(practitioner or shop.practitioner.id, UUID(transaction["id"]), shop.member.id)


async def test_paid__an_admin_reassigns_with_a_reason(shop: Shop) -> None:
    paid, other = await shop.paid(), await another(shop)
    answer = await reassign(shop, paid, other)
    assert (answer.status_code, answer.json()["practitioner_id"]) == (200, str(other))
    (item,) = (await shop.member.get(f"/v1/transactions/{paid['id']}/history")).json()["items"][:1]
    assert (item["type"], item["reason"], item["data"]["reason_code"]) == (
        "PractitionerReassigned",
        "Berhalangan tetap",
        "by_admin",
    )


async def test_open_session__does_not_stand_in_the_way(shop: Shop) -> None:
    paid, other = await shop.paid(), await another(shop)
    await shop.rig.take(session_of(shop, paid).requested())
    assert (await reassign(shop, paid, other)).status_code == 200


@pytest.mark.parametrize("begun", ["started", "completed"])
async def test_begun_session__keeps_the_pair(shop: Shop, begun: str) -> None:
    paid, other = await shop.paid(), await another(shop)
    session = session_of(shop, paid)
    await shop.rig.take(session.requested(), getattr(session, begun)())
    answer = await reassign(shop, paid, other)
    assert (answer.status_code, answer.json()["code"]) == (409, "session_started")


async def test_completed_and_then_another_canceled__still_keeps_the_pair(shop: Shop) -> None:
    paid, other = await shop.paid(), await another(shop)
    first, second = session_of(shop, paid), session_of(shop, paid)
    await shop.rig.take(first.requested(), first.completed(), second.requested(), second.canceled())
    assert (await reassign(shop, paid, other)).json()["code"] == "session_started"


async def test_reassigned_too_late__the_pair_goes_back_by_the_system(shop: Shop) -> None:
    """Consultation ignored the reassignment: its session had begun before."""
    paid, other = await shop.paid(), await another(shop)
    await reassign(shop, paid, other)
    session = session_of(shop, paid)
    records = [session.requested(), session.started()]
    await shop.rig.take(*records)
    assert (await shop.seen(paid))["practitioner_id"] == str(shop.practitioner.id)
    (item,) = (await shop.member.get(f"/v1/transactions/{paid['id']}/history")).json()["items"][:1]
    assert (item["actor"], item["data"]["reason_code"]) == ("system", "session_already_started")
    before = await shop.rig.types(paid["id"])
    await shop.rig.take(*records)
    assert await shop.rig.types(paid["id"]) == before


async def test_reassigned_while_it_begins__both_orders_end_with_the_sessions_practitioner(shop: Shop) -> None:
    for _ in range(10):
        paid, other = await shop.paid(), await another(shop)
        session = session_of(shop, paid)
        await shop.rig.take(session.requested())
        await asyncio.gather(reassign(shop, paid, other), shop.rig.take(session.started()))
        # Whoever was first: refused, or given back when the result arrives with the practitioner that it had.
        await shop.rig.take(session.completed())
        assert (await shop.seen(paid))["practitioner_id"] == str(shop.practitioner.id)


async def blocked_or_done(shop: Shop, task: asyncio.Task[Any]) -> bool:
    return task.done() or bool(await shop.rig.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))


async def take(shop: Shop, conn: Any, record: Any) -> str:
    """What the consumer does with a record, in a transaction that is still open afterwards."""
    topic = shop.rig.consumer.inbox.topics[record.topic]
    return (await shop.rig.consumer.inbox.receive(conn, read(record, sequenced=topic.sequenced))).outcome


@pytest.mark.parametrize("requested_before", [True, False], ids=["known", "first_heard_of"])
async def test_result_just_being_taken__a_reassignment_waits_for_it_and_is_refused(
    shop: Shop, requested_before: bool
) -> None:
    """Write skew of P2: nothing comes after a result that would correct the pair."""
    paid, other = await shop.paid(), await another(shop)
    session = session_of(shop, paid)
    if requested_before:
        await shop.rig.take(session.requested())
        ending = [session.completed()]
    else:
        ending = [session.requested(), session.completed()]
    async with shop.rig.service.database.transaction() as conn:
        for record in ending:
            assert await take(shop, conn, record) == "applied"
        asked = asyncio.create_task(reassign(shop, paid, other))
        await until(lambda: blocked_or_done(shop, asked))
    answer = await asyncio.wait_for(asked, 20)
    assert (answer.status_code, answer.json()["code"]) == (409, "session_started")
    assert (await shop.seen(paid))["practitioner_id"] == str(shop.practitioner.id)


async def test_reassignment_just_being_committed__the_result_waits_for_it_and_the_pair_goes_back(shop: Shop) -> None:
    paid, other = await shop.paid(), await another(shop)
    session = session_of(shop, paid)
    await shop.rig.take(session.requested())
    async with shop.rig.service.database.transaction() as conn:
        context = CommandContext(Cause("admin:" + str(uuid4()), str(uuid4())), datetime.now(UTC))
        candidate = Candidate(other, frozenset({shop.tier}), active=True)
        command = Reassign(candidate, uuid4(), "pending_negotiation")
        await handle(conn, TRANSACTION, UUID(paid["id"]), command, context)
        taken = asyncio.create_task(shop.rig.take(session.completed()))
        await until(lambda: blocked_or_done(shop, taken))
    assert await asyncio.wait_for(taken, 20) == ["applied"]
    assert (await shop.seen(paid))["practitioner_id"] == str(shop.practitioner.id)


async def test_begun_session_failed__an_admin_may_reassign_again(shop: Shop) -> None:
    paid, other = await shop.paid(), await another(shop)
    session = session_of(shop, paid)
    await shop.rig.take(session.requested(), session.started(), session.failed())
    assert (await reassign(shop, paid, other)).status_code == 200


@pytest.mark.parametrize("change", [{"active": False}, {"tiers": ["another"]}])
async def test_one_who_cannot_be_chosen__is_refused(shop: Shop, change: dict) -> None:
    paid, other = await shop.paid(), await another(shop)
    await shop.introduce(other, **change)
    assert (await reassign(shop, paid, other)).json()["code"] == "practitioner_not_available"


async def test_unknown_practitioner_or_transaction__not_found(shop: Shop) -> None:
    paid = await shop.paid()
    assert (await reassign(shop, paid, uuid4())).status_code == 404
    assert (await reassign(shop, {"id": str(uuid4())}, shop.practitioner.id)).status_code == 404


async def test_two_admins_at_once__one_version_after_another(shop: Shop) -> None:
    """A stale If-Match changes nothing."""
    paid, one, two = await shop.paid(), await another(shop), await another(shop)
    tag = f'"{paid["version"]}"'
    answers = await asyncio.gather(*(reassign(shop, paid, to, If_Match=tag) for to in (one, two)))
    assert sorted(a.status_code for a in answers) == [200, 412]
    assert (await shop.rig.types(paid["id"])).count("PractitionerReassigned") == 1
