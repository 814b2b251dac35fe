"""C1, C2: the rows are the fold of the events, whatever comes twice, late, broken or at once."""

import asyncio
import dataclasses
import random

import pytest

from booking_contracts.calendar import UserScheduleRow
from booking_contracts.deadlines import connected
from booking_contracts.decode import Record, decode
from booking_contracts.topics import USER_SCHEDULE
from booking_process.database import Database
from calendar_projector.projection.consumer import Kafka
from calendar_projector.projection.projector import Projector

pytestmark = pytest.mark.servers


def _told(*stories) -> list[Record]:
    """All their records, mixed, each story's own in order."""
    waiting = [list(story.records) for story in stories]
    mixed = random.Random(7)
    found = []
    while waiting:
        one = mixed.choice(waiting)
        found.append(one.pop(0))
        waiting = [rest for rest in waiting if rest]
    return found


def _all_kinds(story, other) -> list:
    return [
        story().requested(),
        story().requested().scheduled(),
        story().requested().scheduled().scheduled(start=11),
        story().requested().scheduled().started().completed(),
        story().requested().scheduled().canceled(),
        story().requested().scheduled().failed(),
        story().requested().canceled(),
        story().requested().scheduled().changed(other),
        story().requested().scheduled().changed(other).scheduled(start=15),
        story().requested().scheduled().changed(other).canceled(),
        story().requested().scheduled().unknown().scheduled(start=8),
    ]


async def test_every_kind_of_session_shows_its_fold(world, story):
    """C1: a row per session that has ever had a date; canceled and failed stay; without a start after a change."""
    stories = _all_kinds(story, story().practitioner)
    await world.tell(*_told(*stories))
    async with world.running("worker"):
        rows = await world.shows(stories)
    assert len(rows) == 9


async def test_duplicates_and_a_whole_replay_change_nothing(world, story):
    """F40, F43: last + 1 is applied, lower is a duplicate."""
    stories = _all_kinds(story, story().practitioner)
    records = _told(*stories)
    await world.tell(*records)
    async with world.running("worker"):
        await world.shows(stories)
        await world.tell(*[r for r in records for _ in range(2)])
        await world.tell(*records)
        more = story().requested().scheduled()
        await world.tell(*more.records)
        await world.shows([*stories, more])
    assert await world.rows("SELECT count(*) FROM held") == [(0,)]


async def test_a_consumer_that_ends_unasked_starts_again(world, story):
    """F31: whatever ended it. Its liveness would stay good for ever, with the backlog it saw last: none."""
    before, after = story().requested().scheduled(), story().requested().scheduled()
    await world.tell(*before.records)
    async with world.running("worker"):
        await world.shows([before])
        (consumer,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("generation ")]
        consumer.cancel()
        await world.tell(*after.records)
        await world.shows([before, after])


async def test_a_gap_is_held_and_drains_in_order_when_the_missing_one_comes(world, story, until):
    waiting = story().requested().scheduled().scheduled(start=10).started()
    one, two, three, four = waiting.records
    other = story().requested().scheduled()
    async with world.running("worker"):
        await world.tell(one, three, four, *other.records)
        await until(lambda: _count(world, "SELECT count(*) FROM held WHERE reason = 'gap'", 2))
        await until(lambda: _count(world, "SELECT count(*) FROM user_schedule", 1))
        await world.tell(two)
        await world.shows([waiting, other])
    assert await world.rows("SELECT count(*) FROM held WHERE settled_at IS NULL") == [(0,)]


async def test_poison_is_held_and_blocks_its_own_session_only(world, story, until):
    """F44: bad value, null header, foreign source: held; other sessions flow; the session's later events wait."""
    hurt = story().requested().scheduled().started()
    one, two, three = hurt.records
    sick = [
        dataclasses.replace(two, value=b"{nope"),
        dataclasses.replace(two, headers=(*two.headers, ("ce_metadata", b"\xff"))),
        dataclasses.replace(two, key=None),
    ]
    others = [story().requested().scheduled() for _ in range(20)]
    async with world.running("worker"):
        await world.tell(one, *sick, three, *_told(*others))
        await world.shows(others)
        assert await until(lambda: _count(world, "SELECT count(*) FROM held WHERE reason = 'undecodable'", 3))
        assert await until(lambda: _count(world, "SELECT count(*) FROM held WHERE reason = 'gap'", 1))
        await world.tell(two)  # the producer's mended record, under the same version
        await world.shows([hurt, *others])


async def test_a_date_of_no_calendar_is_held_and_the_rest_of_its_batch_is_merged(world, story, until):
    """It passes at a glance; PostgreSQL refuses it, and the batch is decoded the long way, record by record."""
    hurt = story().requested().scheduled()
    one, two = hurt.records
    broken = dataclasses.replace(two, value=(two.value or b"").replace(b'"2026-12-01"', b'"2026-02-30"'))
    others = [story().requested().scheduled() for _ in range(20)]
    await world.tell(one, broken, *_told(*others))
    async with world.running("worker"):
        await world.shows(others)
        assert await until(lambda: _count(world, "SELECT count(*) FROM held WHERE reason = 'undecodable'", 1))
        await world.tell(two)
        await world.shows([hurt, *others])


async def test_rows_are_published_as_they_are_now_without_link(world, story, until):
    """The state topic: the row's version rises, the meeting link stays out, an undated session is not told."""
    dated, undated = story().requested().scheduled().canceled(), story().requested()
    async with world.running("worker"):
        await world.tell(*dated.records, *undated.records)
        await world.shows([dated, undated])
        records = await until(lambda: _published(world, 1))
    last = decode(records[-1])
    assert last.meta.subject == str(dated.id)
    assert isinstance(last.event, UserScheduleRow)
    assert (last.event.status, last.event.schedule_version) == ("canceled", 2)
    assert last.event.starts_at == dated.times["starts_at"]
    assert last.meta.sequence == 3
    assert b"meeting_link" not in (records[-1].value or b"")
    assert {record.key for record in records} == {str(dated.id).encode()}


async def test_several_copies_share_the_partitions_and_survive_each_others_going(world, story, until):
    """F27: rebalances under load; every row is the fold in the end."""
    stories = [story().requested().scheduled().scheduled(start=10).started() for _ in range(60)]
    records = _told(*stories)
    async with world.running("worker"):
        await world.tell(*records[:80])
        async with world.running("worker"):
            await world.tell(*records[80:160])
            await until(lambda: _count(world, "SELECT count(*) >= 20 FROM user_schedule", True))
        await world.tell(*records[160:])
        await world.shows(stories)
    assert await world.rows("SELECT count(*) FROM held WHERE settled_at IS NULL") == [(0,)]


async def _count(world, query: str, value) -> bool:
    return await world.rows(query) == [(value,)]


async def _published(world, at_least: int) -> list[Record]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    topic = world.prefix + USER_SCHEDULE.name
    consumer = AIOKafkaConsumer(bootstrap_servers=world.settings.kafka_bootstrap, auto_offset_reset="earliest")
    async with connected(consumer):
        consumer.assign([TopicPartition(topic, partition) for partition in range(6)])
        found = [r for rows in (await consumer.getmany(timeout_ms=1000)).values() for r in rows]
    records = [
        Record(USER_SCHEDULE.name, r.partition, r.offset, r.key, r.value, tuple(r.headers), r.timestamp) for r in found
    ]
    left = (await world.rows("SELECT count(*) FROM outbox"))[0][0]
    return records if len(records) >= at_least and not left else []


async def test_a_projector_without_a_reader_is_not_alive_unless_it_waits_for_postgres(until):
    """Liveness is progress: with nobody to read, whatever there is stands still."""
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    projector = Projector(database=nowhere, kafka=Kafka("127.0.0.1:1", ""), published=lambda: None, tick=0.01)
    assert not projector.progress().alive(patience=0)
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))

    async def waits() -> bool:
        return projector.progress().waiting_for == "postgres"

    await until(waits)
    assert projector.progress().alive(patience=0)
    stop.set()
    await asyncio.wait_for(running, 20)
    await nowhere.close()
