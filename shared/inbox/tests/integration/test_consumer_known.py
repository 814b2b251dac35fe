"""A backlog of records that are known already (a replay, a seed): settled by looks, by the same rules as one by one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest
from shared.inbox.tests.consumer_rig import Rig, profile, record_applied, rig_of, session_event
from tests.rigs.waiting import until

from booking_contracts.decode import Decoded
from booking_contracts.topics import PRACTITIONERS, SESSIONS
from booking_inbox.figures import RECORDS
from booking_process.database import Database

pytestmark = pytest.mark.servers

KEYS, VERSIONS = 30, 20
BACKLOG = KEYS * VERSIONS


class Counting(Database):
    """The database, with its transactions counted."""

    transactions = 0

    @asynccontextmanager
    async def transaction(self, *, deadline: float | None = None) -> AsyncGenerator[psycopg.AsyncConnection]:
        self.transactions += 1
        async with super().transaction(deadline=deadline) as conn:
            yield conn


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


async def test_known__a_replay_takes_few_transactions_and_has_no_effect(rig: Rig):
    keys = [uuid4() for _ in range(KEYS)]
    await rig.send(*(session_event(key, version) for version in range(1, VERSIONS + 1) for key in keys))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.effects() == BACKLOG

    counting = Counting(rig.databases.app_url)
    before = _duplicates(rig)
    again = rig.prefix + "again"
    async with rig.consuming(database=counting, group_id=again):
        await until(lambda: _duplicates(rig) - before == BACKLOG)
    await counting.close()
    assert await rig.effects() == BACKLOG, "nothing was applied twice"
    # One by one each record has a transaction of its own; before most are seen to be known, some have.
    assert counting.transactions < BACKLOG / 4


async def test_known__what_is_new_held_or_unreadable_among_it_is_taken_as_ever(rig: Rig):
    known, gapped, new = [uuid4() for _ in range(KEYS)], uuid4(), uuid4()
    await rig.send(*(session_event(key, version) for version in range(1, VERSIONS + 1) for key in known))
    await rig.send(session_event(gapped, 1), session_event(gapped, 3))  # 3 waits for 2
    async with rig.consuming():
        await until(rig.caught_up)

    poison = session_event(known[0], 1).changed(value=b"{")  # of a version that is known, and of no meaning
    late = [*(session_event(new, version) for version in range(1, 6)), poison]
    late += [session_event(known[1], VERSIONS + 1), session_event(gapped, 2), session_event(gapped, 4)]
    await rig.send(*late, *(session_event(key, 1) for key in known))

    before = _duplicates(rig)
    seen: list[Decoded] = []

    async def noted(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        seen.append(item)
        await record_applied(conn, item)

    async with rig.consuming(noted, group_id=rig.prefix + "again"):
        # All that is known, the two of the key with a gap, and each known key once more.
        await until(lambda: _duplicates(rig) - before == BACKLOG + 2 + KEYS)
        # What is new: a key's five, the next version of one, and the three that the gap kept.
        await until(lambda: _effects(rig, BACKLOG + 1 + 5 + 1 + 3))
        await until(rig.held)
    assert await rig.applied(new) == [1, 2, 3, 4, 5]
    assert await rig.applied(known[1]) == list(range(1, VERSIONS + 2))
    assert await rig.applied(gapped) == [1, 2, 3, 4]
    assert await rig.held() == [("undecodable", 1)]
    assert len(seen) == 5 + 1 + 3, "the new key's, the next version, and those that the gap kept"


async def test_known__of_a_state_topic_older_rows_are_ignored_and_the_same_is_a_duplicate(rig: Rig):
    keys = [uuid4() for _ in range(KEYS)]
    await rig.send(*(profile(key, version) for version in (1, 2, 3) for key in keys))
    async with rig.consuming(topics=(PRACTITIONERS,)):
        await until(lambda: rig.caught_up(PRACTITIONERS))
    before = {outcome: _count(rig, PRACTITIONERS.name, outcome) for outcome in ("duplicate", "ignored")}
    async with rig.consuming(topics=(PRACTITIONERS,), group_id=rig.prefix + "again"):
        await until(lambda: _count(rig, PRACTITIONERS.name, "duplicate") - before["duplicate"] == KEYS)
        await until(lambda: _count(rig, PRACTITIONERS.name, "ignored") - before["ignored"] == 2 * KEYS)
    assert await rig.effects() == 3 * KEYS


async def _effects(rig: Rig, number: int) -> bool:
    return await rig.effects() >= number


def _duplicates(rig: Rig) -> int:
    return _count(rig, SESSIONS.name, "duplicate")


def _count(rig: Rig, topic: str, outcome: str) -> int:
    return int(RECORDS.labels(rig.name, topic, outcome)._value.get())
