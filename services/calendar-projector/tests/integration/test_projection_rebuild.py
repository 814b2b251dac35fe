"""C2: rebuilt from the log alone, beside the rows that are shown, compared, switched in one transaction."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition

from booking_contracts.topics import SESSIONS
from booking_inbox import Engine, PositionLost
from booking_outbox import Progress
from calendar_projector.projection import generations
from calendar_projector.projection.consumer import Kafka, Positions, engine_of
from calendar_projector.projection.generations import NothingToGoBackTo, RebuildRunning
from calendar_projector.projection.slot import Slot

pytestmark = pytest.mark.servers

_EVERYTHING = "SELECT * FROM user_schedule_{} ORDER BY session_id"


async def _switched(world, until) -> dict:
    async def done():
        rows = await world.rows(
            "SELECT comparison FROM generation WHERE state = 'active'"
            " AND NOT EXISTS (SELECT FROM generation WHERE state = 'building')"
        )
        return rows[0][0] if rows else None

    return await until(done)


async def _rebuild(running, world, until, path="/v1/projections/user_schedule/rebuild") -> dict:
    answer = await running.call("POST", path, "admin")
    assert answer.status_code == 202, answer.text
    return await _switched(world, until)


async def test_a_rebuild_under_load_gives_equal_rows_and_the_old_ones_are_kept(world, story, until):
    stories = [story().requested().scheduled() for _ in range(150)]
    await world.tell(*[record for one in stories for record in one.records])
    async with world.running("all") as running:
        await world.shows(stories)
        published = await world.rows("SELECT count(*) FROM outbox")

        async def load() -> None:
            for one in stories:
                before = len(one.records)
                one.scheduled(start=14).started()
                await world.tell(*one.records[before:])

        comparison, _ = await asyncio.gather(_rebuild(running, world, until), load())
        await world.shows(stories)
        assert comparison["differences"].get("different", 0) == 0
        assert "only_old" not in comparison["differences"]
        state = (await running.get("/v1/projections", "admin")).json()["items"][0]
        assert (state["generation"], state["slot"], state["rebuild"], state["can_go_back_to"]) == (2, "b", None, 1)
        again = await _rebuild(running, world, until)
        assert again == {"equal_positions": True, "rows": 150, "differences": {}, "sample": []}
        assert await world.rows("SELECT slot, state FROM generation ORDER BY id") == [
            ("a", "discarded"),
            ("b", "retired"),
            ("a", "active"),
        ]
        assert await world.rows(_EVERYTHING.format("a")) == await world.rows(_EVERYTHING.format("b"))
    assert published


async def test_rows_that_differ_are_reported_published_and_mended(world, story, until):
    """Damaged rows: a changed one, a missing one, one too many. The rebuild ends all three; none blocks it."""
    changed, missing, ghost = (story().requested().scheduled() for _ in range(3))
    await world.tell(*changed.records, *missing.records)
    async with world.running("all") as running:
        await world.shows([changed, missing])
        await until(lambda: _empty(world))
        await world.rows(
            "UPDATE user_schedule_a SET status = 'canceled', row_version = 7 WHERE session_id = %s RETURNING 1",
            changed.id,
        )
        await world.rows("DELETE FROM user_schedule_a WHERE session_id = %s RETURNING 1", missing.id)
        await world.rows(
            "INSERT INTO user_schedule_a (session_id, version, row_version, dated) VALUES (%s, 2, 4, true) RETURNING 1",
            ghost.id,
        )
        comparison = await _rebuild(running, world, until)
        assert comparison["differences"] == {"different": 1, "only_new": 1, "only_old": 1}
        assert comparison["equal_positions"] is True
        await world.shows([changed, missing])
        versions = dict(await world.rows("SELECT session_id, row_version FROM session_calendar"))
        assert versions == {changed.id: 8, missing.id: 2, ghost.id: 5}
        await until(lambda: _empty(world))
        rows = {s["id"] for s in (await _page(running)) if s["status"]}
        assert rows == {str(changed.id), str(missing.id)}


async def test_a_rebuild_that_is_interrupted_resumes_where_it_stopped(world, story, until, quick):
    stories = [story().requested().scheduled() for _ in range(40)]
    await world.tell(*[record for one in stories for record in one.records])
    service = world.service()
    async with world.running("worker"):
        await world.shows(stories)
    async with service.database.transaction() as conn:
        generation = await generations.begin_rebuild(conn, by="test")
    runner = _runner(world, service, generation, Slot("b"), quick)
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    await until(lambda: _count(world, "SELECT count(*) > 0 FROM user_schedule_b", True))
    stop.set()
    await task
    read = await world.rows("SELECT sum(next_offset) FROM projection_position WHERE generation = %s", generation)
    assert read[0][0] > 0
    more = story().requested().scheduled()
    await world.tell(*more.records)
    async with world.running("worker"):
        assert (await _switched(world, until))["differences"] == {}
        await world.shows([*stories, more])
    await service.database.close()


async def test_going_back_is_catching_up(world, story, until):
    first, second = story().requested().scheduled(), story().requested().scheduled()
    await world.tell(*first.records)
    async with world.running("all") as running:
        await world.shows([first])
        refused = await running.call("POST", "/v1/projections/user_schedule/rebuild?back=true", "admin")
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_go_back_to")
        await _rebuild(running, world, until)
        await world.tell(*second.records)
        await world.shows([first, second])
        await _rebuild(running, world, until, "/v1/projections/user_schedule/rebuild?back=true")
        assert await world.rows("SELECT id, state FROM generation ORDER BY id") == [(1, "active"), (2, "retired")]
        await world.shows([first, second])


async def test_a_second_rebuild_is_refused_and_one_may_be_abandoned(world):
    async with world.running("api") as running:  # no worker: it stays in the making
        path = "/v1/projections/user_schedule/rebuild"
        assert (await running.call("POST", path, "admin")).json()["generation"] == 2
        refused = await running.call("POST", path, "admin")
        assert (refused.status_code, refused.json()["code"]) == (409, "rebuild_running")
        shown = (await running.get("/v1/projections", "admin")).json()["items"][0]
        assert (shown["status"], shown["rebuild"]["generation"]) == ("rebuilding", 2)
        assert (await running.call("DELETE", path, "admin")).status_code == 204
        assert (await running.call("DELETE", path, "admin")).status_code == 404
        assert (await running.call("POST", "/v1/projections/other/rebuild", "admin")).status_code == 404
        assert (await running.call("POST", path, "member")).status_code == 403
        assert (await running.get("/v1/projections", "practitioner")).status_code == 403


async def test_a_zombie_finds_another_position_and_rolls_back_whole(world, story, until, quick):
    """F14, K8: its rows and its position go together, so nothing of it stays."""
    mine, theirs = story().requested().scheduled(), story().requested().scheduled()
    service = world.service()
    zombie = _runner(world, service, 1, Slot("a"), quick)
    topic = world.prefix + SESSIONS.name
    async with service.database.transaction() as conn:
        await Positions(1, SESSIONS.name).stored(conn, [(SESSIONS.name, 0)])
    assert zombie.reader.positions is not None
    zombie.reader.positions[TopicPartition(topic, 0)] = 0
    await world.rows("UPDATE projection_position SET next_offset = 5 RETURNING 1")  # the new owner's commit
    raws = [_raw(topic, record, offset) for offset, record in enumerate(mine.records)]
    work = await zombie._handling.read(raws, alone=False)
    with pytest.raises(PositionLost):
        await zombie._once(raws, work, None)
    assert await zombie.take([_raw(topic, record, offset) for offset, record in enumerate(theirs.records)]) is False
    assert await world.rows("SELECT count(*) FROM user_schedule_a") == [(0,)]
    assert await world.rows("SELECT count(*) FROM outbox") == [(0,)]
    assert await world.rows("SELECT next_offset FROM projection_position") == [(5,)]
    await service.database.close()


async def test_a_building_generation_publishes_nothing(world, story, until, quick):
    one = story().requested().scheduled()
    await world.tell(*one.records)
    service = world.service()
    async with service.database.transaction() as conn:
        generation = await generations.begin_rebuild(conn, by="test")
    stop = asyncio.Event()
    task = asyncio.create_task(_runner(world, service, generation, Slot("b"), quick).run(stop))
    await until(lambda: _count(world, "SELECT count(*) FROM user_schedule_b", 1))
    stop.set()
    await task
    assert await world.rows("SELECT count(*) FROM outbox") == [(0,)]
    assert await world.shown() == {}
    await service.database.close()


async def test_a_position_outside_of_the_topic_is_read_anew_never_jumped_over(world, story, until):
    """F50, F51: positions of a topic that was recreated; versions know what was seen already."""
    stories = [story().requested().scheduled() for _ in range(10)]
    await world.tell(*[record for one in stories for record in one.records])
    async with world.running("worker"):
        await world.shows(stories)
    await world.rows("UPDATE projection_position SET next_offset = 1000000 RETURNING 1")
    more = story().requested().scheduled()
    await world.tell(*more.records)
    async with world.running("worker"):
        await world.shows([*stories, more])
    assert await world.rows("SELECT count(*) FROM held") == [(0,)]


async def test_generations__the_operations_refuse_what_cannot_be(world):
    service = world.service()
    async with service.database.transaction() as conn:
        with pytest.raises(NothingToGoBackTo):
            await generations.begin_going_back(conn, by="test")
        await generations.begin_rebuild(conn, by="test")
        with pytest.raises(RebuildRunning):
            await generations.begin_rebuild(conn, by="test")
        with pytest.raises(RebuildRunning):
            await generations.begin_going_back(conn, by="test")
        assert await generations.abandon(conn)
        assert not await generations.abandon(conn)
    await service.database.close()


def _runner(world, service, generation: int, slot: Slot, tuning) -> Engine[Any]:
    kafka = Kafka(world.settings.kafka_bootstrap, world.prefix)
    runner = engine_of(
        generation,
        slot,
        database=service.database,
        kafka=kafka,
        tuning=replace(tuning, batch_size=7),
        published=lambda: None,
    )
    assert isinstance(runner.progress(), Progress)
    return runner


def _raw(topic: str, record, offset: int):
    """As aiokafka hands it over."""
    from types import SimpleNamespace

    return SimpleNamespace(
        topic=topic,
        partition=0,
        offset=offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=1,
    )


async def _page(running) -> list[dict]:
    path = "/v1/calendar/events?start=2026-11-01&end=2027-01-01"
    return (await running.get(path, "admin")).json()["items"]


async def _empty(world) -> bool:
    return await world.rows("SELECT count(*) FROM outbox") == [(0,)]


async def _count(world, query: str, value) -> bool:
    return await world.rows(query) == [(value,)]
