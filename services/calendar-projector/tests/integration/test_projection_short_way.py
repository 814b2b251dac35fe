"""C2: what goes by one statement ends as what goes record by record; what does not fit writes nothing (F14, K8)."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from booking_contracts.decode import Record
from booking_contracts.topics import SESSIONS
from booking_inbox import Move
from booking_process.database import Database
from calendar_projector.projection import generations
from calendar_projector.projection.consumer import Positions, decoded, fold
from calendar_projector.projection.slot import Merged, Slot, inbox_of, merge_and_move

pytestmark = pytest.mark.servers

A, B = Slot("a"), Slot("b")
ROWS = "SELECT to_jsonb(t) - 'row_version' FROM user_schedule_{} t WHERE version > 0 ORDER BY session_id"
"""Without the row's own version, which a type unknown here may move or not: it only has to rise."""
LOCKED = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
EVERYTHING = (
    "SELECT * FROM user_schedule_a ORDER BY session_id",
    "SELECT generation, partition, next_offset FROM projection_position ORDER BY 1, 2",
    "SELECT topic, key FROM outbox ORDER BY id",
)


@pytest.fixture
async def short(fresh_database):
    """A calendar's database with positions, and no broker."""
    databases = fresh_database("calendar")
    database = Database(databases.app_url)
    async with database.transaction() as conn:
        await Positions(1, SESSIONS.name).stored(conn, [(SESSIONS.name, partition) for partition in range(3)])
    yield Short(database)
    await database.close()


class Short:
    """The short way, driven by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def take(self, *records: Record, expected: int = 0, upto: int = 1, partitions: int = 1) -> Merged | None:
        """Merge these records into slot `a` and move generation 1's positions."""
        moves = [Move(SESSIONS.name, partition, expected, upto, 7) for partition in reversed(range(partitions))]
        patches = list(fold(records).patches.values())
        async with self.database.autocommit() as conn:
            return await merge_and_move(conn, A, patches, 1, moves)

    async def carefully(self, record: Record, slot: Slot = A) -> None:
        """The record alone, by the inbox's rules."""
        async with self.database.transaction() as conn:
            await inbox_of(slot, lambda _: None).receive(conn, decoded(record, ""))

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.autocommit() as conn:
            return await (await conn.execute(query.encode())).fetchall()

    async def all(self) -> list[Any]:
        return [await self.rows(query) for query in EVERYTHING]


@pytest.mark.parametrize("seed", range(8))
async def test_batches_by_one_statement__the_rows_are_those_of_record_by_record(short, story, seed):
    mixed = random.Random(seed)
    stories = [_told(story(), mixed) for _ in range(12)]
    waiting = [list(one.records) for one in stories]
    position = 0
    while any(waiting):
        batch: list[Record] = []
        for records in mixed.sample(waiting, mixed.randint(1, len(waiting))):
            taken = mixed.randint(0, len(records))
            batch += records[:taken]
            del records[:taken]
        if not batch:
            continue
        assert await short.take(*batch, expected=position, upto=position + 1, partitions=2) is not None
        position += 1
        for record in batch:
            await short.carefully(record, B)
    assert await short.rows(ROWS.format("a")) == await short.rows(ROWS.format("b")) != []
    assert await short.rows("SELECT DISTINCT next_offset FROM projection_position WHERE partition < 2") == [(position,)]
    dated = {key for (key,) in await short.rows("SELECT session_id::text FROM user_schedule_a WHERE dated")}
    assert {key for (key,) in await short.rows("SELECT key FROM outbox")} == dated


def _told(story, mixed: random.Random):
    """A session of any course, with what a text may hold that an array's or a row's syntax would trip over."""
    story.requested()
    steps = mixed.choices(["scheduled", "changed", "unknown"], k=mixed.randint(0, 6))
    for step in [*steps, *mixed.choice([[], ["canceled"], ["started", "completed"]])]:
        match step:
            case "scheduled":
                story.scheduled(start=mixed.randint(8, 20), link=mixed.choice(['{"a,b"}\\', "NULL", "' \t\n{}", "ü"]))
            case "changed":
                story.changed(uuid4())
            case _:
                getattr(story, step)()
    return story


async def test_a_batch_that_does_not_fit__nothing_of_it_is_written(short, story):
    known = story().requested().scheduled()
    assert await short.take(*known.records) is not None
    behind = story().requested().scheduled().started()
    await short.carefully(behind.records[2])  # a gap: held
    before = await short.all()

    fits = story().requested().scheduled()
    gap = story().requested().scheduled().started().records[2]
    for other in (known.records, [gap], behind.records[:2]):
        assert await short.take(*fits.records, *other, expected=1, upto=2) is None
        assert await short.all() == before
    assert await short.take(*fits.records, expected=1, upto=2) is not None


async def test_a_position_that_another_copy_moved__nothing_of_the_batch_is_written(short, story):
    async with short.database.autocommit() as conn:
        await conn.execute("UPDATE projection_position SET next_offset = 5 WHERE partition = 1")
    before = await short.all()
    assert await short.take(*story().requested().scheduled().records, partitions=3) is None
    assert await short.all() == before


async def test_a_value_that_postgresql_cannot_read__nothing_of_the_batch_is_written(short, story):
    good, bad = story().requested().scheduled(), story().requested().scheduled()
    patches = list(fold([*good.records, *bad.records]).patches.values())
    patches[1].changed_at = "2026-02-30T00:00:00Z"
    before = await short.all()
    async with short.database.autocommit() as conn:
        assert await merge_and_move(conn, A, patches, 1, [Move(SESSIONS.name, 0, 0, 1, 7)]) is None
    assert await short.all() == before


async def test_a_switch_while_the_statement_waits_for_it__the_rows_are_published(short, story, until):
    """Its snapshot is older than the switch, and says of the generation that it is not shown."""
    one = story().requested().scheduled()
    async with short.database.autocommit() as conn:
        await conn.execute("UPDATE generation SET state = 'building' WHERE id = 1")
    async with short.database.transaction() as switching:
        await switching.execute("SELECT FROM projection_position FOR UPDATE")
        taking = asyncio.create_task(short.take(*one.records))

        async def waits() -> bool:
            return await short.rows(LOCKED) == [(True,)]

        await until(waits)
        await switching.execute("UPDATE generation SET state = 'active' WHERE id = 1")
    assert await taking is not None
    assert await short.rows("SELECT key FROM outbox") == [(str(one.id),)]


async def test_a_generation_that_was_given_up__its_statement_writes_nothing(short, story):
    """Wherever an engine of it still is: its positions are gone."""
    async with short.database.transaction() as conn:
        generation = await generations.begin_rebuild(conn, by="test")
    async with short.database.transaction() as conn:
        assert await generations.abandon(conn)
    patches = list(fold(story().requested().records).patches.values())
    async with short.database.autocommit() as conn:
        assert await merge_and_move(conn, B, patches, generation, [Move(SESSIONS.name, 0, 0, 1, 7)]) is None
    assert await short.rows("SELECT * FROM user_schedule_b") == []
