"""Batches: the same rules, one transaction for many records, positions in PostgreSQL moved with the rows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from shared.inbox.tests.consumer_rig import QUICK, Rig, profile, record_applied, rig_of, running, session_event
from tests.rigs.waiting import until

from booking_contracts.decode import Decoded
from booking_contracts.topics import PRACTITIONERS, SESSIONS
from booking_inbox import Consumer, InboxRouter, Move, PositionLost

pytestmark = pytest.mark.servers
TUNING = replace(QUICK, batch_size=50)


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


class Fold:
    """An apply that notes the size of each batch and fails for the keys it is told to."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.broken: set[str] = set()

    async def __call__(self, conn: psycopg.AsyncConnection, items: Sequence[Decoded]) -> None:
        self.sizes.append(len(items))
        for item in items:
            if item.meta.subject in self.broken:
                raise ValueError("bug")
            await record_applied(conn, item)


class Stored:
    """Positions beside the rows, by compare-and-set."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.lost = 0

    async def create(self) -> None:
        with psycopg.connect(self.rig.databases.owner_url, autocommit=True) as conn:
            conn.execute("CREATE TABLE place (topic text, partition int, next bigint, PRIMARY KEY (topic, partition))")
            conn.execute("GRANT SELECT, INSERT, UPDATE ON place TO PUBLIC")

    async def stored(self, conn: psycopg.AsyncConnection, places: Sequence[tuple[str, int]]) -> dict[Any, int]:
        del places
        found = await conn.execute("SELECT topic, partition, next FROM place")
        return {(topic, n): after for topic, n, after in await found.fetchall()}

    async def reset(self, conn: psycopg.AsyncConnection, place: tuple[str, int], to: int) -> None:
        await conn.execute("UPDATE place SET next = %s WHERE topic = %s AND partition = %s", (to, *place))

    async def advance(self, conn: psycopg.AsyncConnection, moves: Sequence[Move]) -> None:
        for move in moves:
            cursor = await conn.execute(
                "INSERT INTO place AS p VALUES (%s, %s, %s) ON CONFLICT (topic, partition)"
                " DO UPDATE SET next = excluded.next WHERE p.next = %s",
                (move.topic, move.partition, move.next, move.expected),
            )
            if cursor.rowcount == 0:
                self.lost += 1
                raise PositionLost(str(move))


@asynccontextmanager
async def consuming(rig: Rig, apply: Any, **options: Any) -> AsyncGenerator[Consumer]:
    router = InboxRouter()
    router.subscriber(*options.pop("topics", (SESSIONS,)), batch=True)(apply)
    consumer = Consumer(
        rig.name,
        router,
        database=rig.database,
        bootstrap=rig.bootstrap,
        topic_prefix=rig.prefix,
        group_id=options.pop("group_id", rig.prefix + rig.name),
        tuning=options.pop("tuning", TUNING),
        **options,
    )
    async with running(consumer):
        yield consumer


async def test_a_batch__is_one_transaction_in_order_with_every_rule(rig: Rig):
    keys, gap, unknown = [uuid4() for _ in range(10)], uuid4(), uuid4()
    await rig.send(*(session_event(key, v) for v in (1, 2, 1, 3, 2) for key in keys))
    await rig.send(session_event(gap, 2), session_event(gap, 3), session_event(gap, 1))
    await rig.send(session_event(unknown, 1).with_header("ce_type", b"com.booking.consultation.New.v1"))
    await rig.send(session_event(unknown, 2))
    fold = Fold()
    async with consuming(rig, fold):
        await until(rig.caught_up)
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3]
    assert await rig.applied(gap) == [1, 2, 3]
    assert await rig.applied(unknown) == [2]
    assert await rig.held() == []
    assert max(fold.sizes) > 5, "records went together"


async def test_poison_in_a_batch__is_held_and_its_key_waits_while_the_others_go_together(rig: Rig):
    good, bad = uuid4(), uuid4()
    await rig.send(
        *(session_event(good, v).changed(partition=0) for v in (1, 2)),
        session_event(bad, 1).changed(partition=0),
        session_event(bad, 2).changed(partition=0, value=b"{"),
        session_event(bad, 3).changed(partition=0),
        session_event(good, 3).changed(partition=0),
        session_event(good, 1).changed(partition=0, key=None),
    )
    async with consuming(rig, Fold()):
        await until(rig.caught_up)
    assert await rig.applied(good) == [1, 2, 3]
    assert await rig.applied(bad) == [1]
    assert await rig.held(bad) == [("undecodable", 2), ("gap", 3)]
    assert len(await rig.held()) == 3


async def test_poison_in_a_batch__no_later_state_of_its_key_overtakes_it(rig: Rig):
    key, other = uuid4(), uuid4()
    await rig.send(profile(key, 1), profile(key, 2).changed(value=b"{"), profile(key, 3), profile(other, 1))
    async with consuming(rig, Fold(), topics=(PRACTITIONERS,)):
        await until(lambda: rig.caught_up(PRACTITIONERS))
    assert await rig.applied(key) == [1]
    assert await rig.held(key) == [("undecodable", 2), ("gap", 3)]
    assert await rig.applied(other) == [1]


async def test_a_failing_record__only_its_key_is_held(rig: Rig):
    bad, others = uuid4(), [uuid4() for _ in range(8)]
    fold = Fold()
    fold.broken.add(str(bad))
    await rig.send(
        *(session_event(key, v).changed(partition=0) for v in (1, 2) for key in (*others[:4], bad, *others[4:]))
    )
    async with consuming(rig, fold):
        await until(rig.caught_up)
    for key in others:
        assert await rig.applied(key) == [1, 2]
    assert await rig.held(bad) == [("failed", 1), ("gap", 2)]


async def test_states__the_newest_wins(rig: Rig):
    key = uuid4()
    await rig.send(profile(key, 3), profile(key, 2), profile(key, 7), profile(key, 7), profile(key, 9, tombstone=True))
    async with consuming(rig, Fold(), topics=(PRACTITIONERS,)):
        await until(lambda: rig.caught_up(PRACTITIONERS))
    assert await rig.applied(key) == [3, 7, 9]


async def test_stored_positions__are_where_the_next_start_reads_whatever_kafka_knows(rig: Rig):
    stored = Stored(rig)
    await stored.create()
    keys = [uuid4() for _ in range(6)]
    await rig.send(*(session_event(key, v).changed(partition=n) for n, key in enumerate(keys) for v in (1, 2)))
    fold = Fold()
    async with consuming(rig, fold, positions=stored):
        await until(lambda: _effects(rig, 12))
    assert await rig.sql("SELECT partition, next FROM place ORDER BY 1") == [(n, 2) for n in range(6)]
    await rig.send(*(session_event(key, 3).changed(partition=n) for n, key in enumerate(keys)))
    fold.sizes.clear()
    async with consuming(rig, fold, positions=stored, group_id=rig.prefix + "another"):
        await until(lambda: _effects(rig, 18))
    assert sum(fold.sizes) == 6, "nothing that lies before the stored positions was even looked at"


async def test_stored_positions__moved_by_another__roll_the_batch_back_and_are_read_again(rig: Rig):
    stored = Stored(rig)
    await stored.create()
    key = uuid4()
    await rig.send(session_event(key, 1).changed(partition=0))
    async with consuming(rig, Fold(), positions=stored):
        await until(lambda: _effects(rig, 1))
        await rig.sql("UPDATE place SET next = 2 WHERE partition = 0")  # as if another copy had taken offset 1
        await rig.send(*(session_event(key, v).changed(partition=0) for v in (2, 3)))
        await until(lambda: rig.held(key))
    assert stored.lost == 1
    assert await rig.applied(key) == [1], "offset 1 was the other's; here version 3 finds a gap"
    assert await rig.held(key) == [("gap", 3)]
    assert await rig.sql("SELECT next FROM place WHERE partition = 0") == [(3,)]


async def test_stored_positions__the_database_away_at_the_assignment__reads_on_from_them_later(rig: Rig):
    stored = Stored(rig)
    await stored.create()
    failures = 3

    class Late(Stored):
        async def stored(self, conn: psycopg.AsyncConnection, places: Sequence[tuple[str, int]]) -> dict[Any, int]:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise psycopg.OperationalError("away")
            return await super().stored(conn, places)

    key = uuid4()
    await rig.send(*(session_event(key, v) for v in (1, 2, 3)))
    async with consuming(rig, Fold(), positions=Late(rig)):
        await until(lambda: _effects(rig, 3))
    assert await rig.applied(key) == [1, 2, 3]


async def test_two_copies_with_stored_positions__share_the_work_and_hand_it_over(rig: Rig):
    stored = Stored(rig)
    await stored.create()
    keys = [uuid4() for _ in range(30)]
    async with consuming(rig, Fold(), positions=stored):
        await rig.send(*(session_event(key, 1) for key in keys))
        async with consuming(rig, Fold(), positions=stored):
            await rig.send(*(session_event(key, 2) for key in keys))
            await until(lambda: _effects(rig, 60))
        await rig.send(*(session_event(key, 3) for key in keys))
        await until(lambda: _effects(rig, 90))
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3]


async def test_a_lone_record__does_not_wait_for_company(rig: Rig):
    loop = asyncio.get_running_loop()
    async with consuming(rig, Fold(), tuning=replace(TUNING, fetch_wait=0.5)):
        await rig.send(session_event(uuid4(), 1))
        await until(lambda: _effects(rig, 1))
        waits: list[float] = []
        for effects in range(2, 12):
            began = loop.time()
            await rig.send(session_event(uuid4(), 1))
            await until(lambda effects=effects: _effects(rig, effects))
            waits.append(loop.time() - began)
    assert sorted(waits)[len(waits) // 2] < 0.25


async def _effects(rig: Rig, count: int) -> bool:
    return await rig.effects() >= count
