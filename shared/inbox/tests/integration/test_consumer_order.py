"""The order rules on a real broker and database: contiguity of events, newest of states (F40, F41, F43, F47)."""

from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import psycopg
import pytest
from shared.inbox.tests.consumer_rig import Rig, assessment, profile, record_applied, rig_of, session_event
from tests.rigs.waiting import until

from booking_contracts.decode import Decoded
from booking_contracts.topics import ASSESSMENTS, PRACTITIONERS, SESSIONS

pytestmark = pytest.mark.servers


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


async def test_events__v1_v2_are_applied_once_each_in_order(rig: Rig):
    key = uuid4()
    await rig.send(session_event(key, 1), session_event(key, 2))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2]
    assert await rig.version(key) == 2


async def test_events__v1_v2_v1_v2_the_copies_are_counted_duplicates(rig: Rig):
    key = uuid4()
    messages = [session_event(key, 1), session_event(key, 2)]
    await rig.send(*messages, *messages)
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2]
    assert await rig.held() == []


async def test_events__a_gap_is_held_and_drains_in_order_when_its_predecessor_comes(rig: Rig):
    key, other = uuid4(), uuid4()
    await rig.send(session_event(key, 1), session_event(key, 4), session_event(key, 3), session_event(other, 1))
    async with rig.consuming():
        await until(rig.caught_up)
        assert await rig.applied(key) == [1]
        assert await rig.applied(other) == [1], "other keys flow"
        assert sorted(await rig.held(key)) == [("gap", 3), ("gap", 4)]
        await rig.send(session_event(key, 2))
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2, 3, 4]
    assert await rig.held() == []
    assert await rig.sql("SELECT DISTINCT outcome FROM held") == [("applied",)]


async def test_events__a_first_record_beyond_v1_is_a_gap_not_a_beginning(rig: Rig):
    key = uuid4()
    await rig.send(session_event(key, 2))
    async with rig.consuming():
        await until(rig.caught_up)
        assert await rig.held(key) == [("gap", 2)]
        await rig.send(session_event(key, 2).changed(partition=0), session_event(key, 1))
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2]


async def test_events__an_unknown_type_advances_the_version_without_an_apply(rig: Rig):
    key = uuid4()
    unknown = session_event(key, 2).with_header("ce_type", b"com.booking.consultation.SomethingNew.v1")
    await rig.send(session_event(key, 1), unknown, session_event(key, 3))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 3]
    assert await rig.version(key) == 3


async def test_events__a_full_replay_from_earliest_has_no_effect(rig: Rig):
    keys = [uuid4() for _ in range(20)]
    await rig.send(*(session_event(key, v) for v in (1, 2, 3) for key in keys))
    async with rig.consuming():
        await until(rig.caught_up)
    async with rig.consuming(group_id=rig.prefix + "renamed"):
        # The renamed group has no offsets: everything comes again (F50), and the inbox knows it all.
        await until(lambda: _read_again(rig, "renamed"))
    assert await rig.effects() == 60


async def _read_again(rig: Rig, group: str) -> bool:
    rig.name, name = group, rig.name
    try:
        return await rig.caught_up()
    finally:
        rig.name = name


async def test_events__the_same_record_in_another_partition_is_a_duplicate(rig: Rig):
    key = uuid4()
    message = session_event(key, 1)
    await rig.send(message, *(message.changed(partition=p) for p in range(SESSIONS.partitions)))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1]


async def test_states__the_newest_wins_and_missing_versions_are_no_gap(rig: Rig):
    key = uuid4()
    await rig.send(profile(key, 2), profile(key, 5), profile(key, 3), profile(key, 5), profile(key, 9, tombstone=True))
    async with rig.consuming(topics=(PRACTITIONERS,)):
        await until(lambda: rig.caught_up(PRACTITIONERS))
    assert await rig.applied(key) == [2, 5, 9]
    assert await rig.sql("SELECT kind FROM applied ORDER BY seq") == [("event",), ("event",), ("tombstone",)]
    assert await rig.held() == []


async def test_unsequenced__every_record_is_applied(rig: Rig):
    key, user = uuid4(), uuid4()
    await rig.send(assessment(key, user), assessment(key, user))
    async with rig.consuming(topics=(ASSESSMENTS,)):
        await until(lambda: rig.caught_up(ASSESSMENTS))
    assert await rig.effects() == 2
    assert await rig.held() == []


async def test_two_topics__one_consumer_reads_both(rig: Rig):
    session, person = uuid4(), uuid4()
    await rig.send(session_event(session, 1), profile(person, 1))
    async with rig.consuming(topics=(SESSIONS, PRACTITIONERS)):
        await until(lambda: rig.caught_up(SESSIONS))
        await until(lambda: rig.caught_up(PRACTITIONERS))
    assert await rig.effects() == 2


async def test_apply__its_changes_and_the_version_row_are_one_transaction(rig: Rig):
    key = uuid4()
    failing: list[UUID] = [key]

    async def fails_after_writing(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        await record_applied(conn, item)
        if failing:
            raise ValueError("bug")

    await rig.send(session_event(key, 1))
    async with rig.consuming(fails_after_writing):
        await until(rig.caught_up)
    assert await rig.effects() == 0
    assert await rig.version(key) == 0
    assert await rig.held(key) == [("failed", 1)]
