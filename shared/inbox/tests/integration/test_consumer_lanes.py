"""Keys side by side: what may overlap does, what must not never does, and only what is settled is committed."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from shared.inbox.tests.consumer_rig import QUICK, Rig, record_applied, rig_of, running, session_event
from shared.inbox.tests.poison import send_unreadable
from tests.rigs.waiting import until

from booking_contracts.decode import Decoded
from booking_contracts.topics import SESSIONS
from booking_inbox import Consumer, InboxRouter

pytestmark = pytest.mark.servers

LANES = 4


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


def in_partition(partition: int) -> UUID:
    """A new key of this partition."""
    keys = (uuid4() for _ in itertools.count())
    return next(key for key in keys if session_event(key, 1).to == partition)


@pytest.mark.parametrize("partitions", [1, LANES], ids=["one partition", "several partitions"])
async def test_keys__as_many_as_there_are_lanes_are_in_their_transactions_at_once(rig: Rig, partitions: int):
    await rig.send(*(session_event(in_partition(n % partitions), 1) for n in range(LANES)))
    together = asyncio.Barrier(LANES)

    async def meet(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        async with asyncio.timeout(30):  # one after the other they would never meet
            await together.wait()
        await record_applied(conn, item)

    async with rig.consuming(meet, tuning=replace(QUICK, lanes=LANES)):
        await until(rig.caught_up)
    assert await rig.applied() == [1] * LANES
    assert await rig.held() == []


async def test_keys__one_key_is_never_in_two_transactions_and_keeps_its_order(rig: Rig):
    keys, versions = [uuid4() for _ in range(6)], range(1, 16)
    await rig.send(*(session_event(key, version) for version in versions for key in keys))
    busy, most = Counter[str](), 0

    async def watched(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        nonlocal most
        busy[item.meta.subject] += 1
        assert busy[item.meta.subject] == 1, "two records of one key at once"
        most = max(most, busy.total())
        await record_applied(conn, item)
        busy[item.meta.subject] -= 1

    async with rig.consuming(watched, tuning=replace(QUICK, lanes=LANES)):
        await until(rig.caught_up)
    for key in keys:
        assert await rig.applied(key) == list(versions)
    assert await rig.held() == []
    assert 1 < most <= LANES


async def test_stop__what_is_settled_is_committed_and_only_that(rig: Rig):
    """Two keys wait for ever; their partition is committed up to the first, the other to its end."""
    stuck, behind, stuck_too, free = in_partition(0), in_partition(0), in_partition(0), in_partition(1)
    await rig.send(*(session_event(key, 1) for key in (in_partition(0), stuck, behind, stuck_too)))
    await rig.send(*(session_event(free, version) for version in (1, 2)))

    async def wait_for_one(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        if item.meta.subject in {str(stuck), str(stuck_too)}:
            raise OSError("waiting cures it")
        await record_applied(conn, item)

    async def four_are_applied() -> bool:
        return await rig.effects() == 4

    async with rig.consuming(wait_for_one, tuning=replace(QUICK, lanes=LANES)):
        await until(four_are_applied)
    assert await rig.committed() == 1 + 2, "the record below the first that is stuck, and both of the other partition"
    async with rig.consuming(tuning=replace(QUICK, lanes=LANES)):
        await until(rig.caught_up)
    assert await rig.applied(stuck) == await rig.applied(stuck_too) == [1]
    assert await rig.applied(behind) == [1], "once, although it came twice"
    assert await rig.effects() == 6


@pytest.mark.parametrize("kind", ["lanes", "batch"])
async def test_poison__what_cannot_be_unpacked_loses_nothing_of_the_partitions_fetched_with_it(rig: Rig, kind: str):
    """One request for all would: aiokafka drops what it took from the first when the second cannot be read."""
    good = [in_partition(partition) for partition in (0, 1, 3, 4)]
    for version in range(1, 6):
        await rig.send(*(session_event(key, version) for key in good))
        await send_unreadable(rig, SESSIONS, 2)

    async def all_of_them(conn: psycopg.AsyncConnection, items: Sequence[Decoded]) -> None:
        for item in items:
            await record_applied(conn, item)

    if kind == "lanes":
        consumer = rig.consumer(tuning=replace(QUICK, lanes=LANES))
    else:
        router = InboxRouter()
        router.subscriber(SESSIONS, batch=True)(all_of_them)
        consumer = Consumer(
            rig.name,
            router,
            database=rig.database,
            bootstrap=rig.bootstrap,
            topic_prefix=rig.prefix,
            group_id=rig.prefix + rig.name,
            tuning=replace(QUICK, batch_size=50),
        )
    async with running(consumer):
        await until(rig.caught_up)
    for key in good:
        assert await rig.applied(key) == [1, 2, 3, 4, 5]
    assert await rig.held() == [("undecodable", None)] * 5
