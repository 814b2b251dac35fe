"""What people decided about held records holds through every rebuild, whenever they decided it (C2)."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from booking_inbox import StillHeld
from calendar_projector.projection import generations, switch
from calendar_projector.projection.consumer import Kafka, engine_of
from calendar_projector.projection.generations import Generation
from calendar_projector.projection.slot import Slot, inbox_of
from calendar_projector.projection.switch import Switched

pytestmark = pytest.mark.servers

A, B = Slot("a").consumer, Slot("b").consumer
REBUILD = "/v1/projections/user_schedule/rebuild"
OPEN = "SELECT count(*) FROM held WHERE settled_at IS NULL"
ROWS = "SELECT session_id, version, row_version, status, starts_at, schedule_version FROM session_calendar ORDER BY 1"


def _broken(one) -> list:
    """The session's records, the third of them broken."""
    first, second, third, *more = one.records
    return [first, second, replace(third, value=b"{nope"), *more]


def _hurt(story):
    return story().requested().scheduled().scheduled(start=14).started()


async def _held(world, consumer: str, reason: str = "undecodable"):
    """The id of what this slot holds for this reason, once it holds it."""
    found = await world.rows(
        "SELECT id FROM held WHERE consumer = %s AND reason = %s AND settled_at IS NULL", consumer, reason
    )
    return found[0][0] if found else None


async def _rebuilt(running, world, until, path: str = REBUILD) -> dict:
    before = (await world.rows("SELECT id FROM generation WHERE state = 'active'"))[0][0]
    assert (await running.call("POST", path, "admin")).status_code == 202

    async def switched():
        rows = await world.rows("SELECT comparison FROM generation WHERE state = 'active' AND id <> %s", before)
        return rows[0][0] if rows else None

    return await until(switched)


@pytest.mark.parametrize("also", ["the log alone", "a later event"])
async def test_a_discarded_record__stays_discarded_through_rebuilds_and_what_stood_behind_it_applied(
    world, story, until, also: str
):
    hurt, whole = _hurt(story), story().requested().scheduled()
    await world.tell(*_broken(hurt), *whole.records)
    async with world.running("all") as running:
        held = await until(lambda: _held(world, A))
        await until(lambda: _held(world, A, "gap"))
        assert (await running.call("POST", f"/v1/held-records/{held}/discard", "admin")).status_code == 200
        if also == "a later event":
            told = len(hurt.records)
            hurt.completed()
            await world.tell(*hurt.records[told:])
        wanted = hurt.version

        async def applied() -> bool:
            rows = await world.rows(ROWS)
            return any(row[0] == hurt.id and row[1] == wanted for row in rows) and len(rows) == 2

        await until(applied)
        await until(lambda: _is(world, "SELECT count(*) FROM outbox", 0))
        rows = await world.rows(ROWS)
        for _ in range(3):
            assert (await _rebuilt(running, world, until))["differences"] == {}
            assert await world.rows(ROWS) == rows, "the same content under the same versions"
            assert await world.rows(OPEN) == [(0,)]
            assert await world.rows("SELECT count(*) FROM outbox") == [(0,)], "nothing is published anew"
            shown = (await running.get(f"/v1/held-records/{held}", "admin")).json()
            assert (shown["outcome"], shown["settled_at"] is None) == ("discarded", False), "kept for ever"
            again = await running.call("POST", f"/v1/held-records/{held}/replay", "admin")
            assert again.status_code in {404, 409}
        assert (await _rebuilt(running, world, until, f"{REBUILD}?back=true"))["differences"] == {}
        assert await world.rows(ROWS) == rows
        assert await world.rows(OPEN) == [(0,)]
        decisions = "SELECT count(*) FROM held WHERE outcome = 'discarded' AND consumer = %s"
        assert await world.rows(decisions, generations.PAST) == [(1,)], "a repeated decision is kept once"


async def test_what_was_never_decided__is_held_by_the_next_generation_too(world, story, until):
    await world.tell(*_broken(_hurt(story)))
    async with world.running("all") as running:
        await until(lambda: _held(world, A, "gap"))
        assert (await _rebuilt(running, world, until))["differences"] == {}
        assert await _held(world, B)
        assert await _held(world, B, "gap")


async def test_a_replayed_record__stays_applied_through_a_rebuild(world, story, until):
    """A later release can read it; here its held bytes are mended in its place."""
    hurt = _hurt(story)
    await world.tell(*_broken(hurt))
    async with world.running("all") as running:
        held = await until(lambda: _held(world, A))
        await until(lambda: _held(world, A, "gap"))
        generation = (await running.call("POST", REBUILD, "admin")).json()["generation"]
        await until(lambda: _is(world, "SELECT state FROM generation WHERE id = %s", "active", generation))
        await until(lambda: _held(world, B, "gap"))
        await world.rows("UPDATE held SET value = %s WHERE reason = 'undecodable' RETURNING 1", hurt.records[2].value)
        twin = await _held(world, B)
        assert (await running.call("POST", f"/v1/held-records/{twin}/replay", "admin")).status_code == 200
        await world.shows([hurt])
        assert (await _rebuilt(running, world, until, f"{REBUILD}?back=true"))["differences"] == {}
        await world.shows([hurt])
        assert await world.rows(OPEN) == [(0,)]
        assert (await running.get(f"/v1/held-records/{held}", "admin")).json()["outcome"] == "applied"


@pytest.mark.parametrize("operation", ["discard", "replay"])
@pytest.mark.parametrize("caught_up", [False, True], ids=["before the rebuild read it", "after the rebuild held it"])
async def test_a_decision_while_a_rebuild_runs__is_done_in_both_generations(  # noqa: PLR0917 by name
    world, story, until, quick, operation: str, caught_up: bool
):
    hurt = _hurt(story)
    async with _building(world, hurt, until, quick) as (service, build):
        if caught_up:
            await build()
        held = await _held(world, A)
        if operation == "replay":
            await world.rows("UPDATE held SET value = %s WHERE id = %s RETURNING 1", hurt.records[2].value, held)
            twin = await _held(world, B) if caught_up else held
            await world.rows("UPDATE held SET value = %s WHERE id = %s RETURNING 1", hurt.records[2].value, twin)
        async with service.database.transaction() as conn:
            done = await getattr(switch, operation)(inbox_of(Slot("a"), _ignore), conn, held, by="admin:x")
            assert not isinstance(done, StillHeld)
        if not caught_up:
            await build()
            if operation == "replay":
                twin = await _held(world, B)
                await world.rows("UPDATE held SET value = %s WHERE id = %s RETURNING 1", hurt.records[2].value, twin)
        assert isinstance(await _switched(service), Switched)
        comparison = (await world.rows("SELECT comparison FROM generation WHERE state = 'active'"))[0][0]
        assert comparison["differences"] == {}
        assert await world.rows("SELECT count(*) FROM held WHERE consumer = %s AND settled_at IS NULL", B) == [(0,)]


@pytest.mark.parametrize("first", ["discard", "switch"])
async def test_a_discard_and_a_switch_at_once__the_one_that_waits_sees_the_other(world, story, until, quick, first):
    """Two real connections: neither is lost, whichever commits first."""
    hurt = _hurt(story)
    async with _building(world, hurt, until, quick) as (service, build):
        await build()
        held = await _held(world, A)

        assert held

        async def discard(conn) -> None:
            await switch.discard(inbox_of(Slot("a"), _ignore), conn, held, by="admin:x")

        async def show(conn) -> None:
            assert isinstance(await _switch_within(conn), Switched)

        one, other = (discard, show) if first == "discard" else (show, discard)

        async def second() -> None:
            async with service.database.transaction() as conn:
                await other(conn)

        async with service.database.transaction() as conn:
            await one(conn)
            waiting = asyncio.create_task(second())
            await until(
                lambda: _is(
                    world,
                    "SELECT count(*) > 0 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                    " WHERE NOT granted AND datname = current_database()",
                    True,
                )
            )
            assert not waiting.done()
        await waiting
        assert await world.rows("SELECT slot FROM generation WHERE state = 'active'") == [("b",)]
        assert await world.rows(OPEN) == [(0,)]
        assert (await world.rows(ROWS))[0][1] == hurt.version


async def test_an_abandoned_rebuild__leaves_nothing_held(world, story, until, quick):
    hurt = _hurt(story)
    async with _building(world, hurt, until, quick) as (service, build):
        await build()
        assert await _held(world, B)
        async with service.database.transaction() as conn:
            assert await generations.abandon(conn)
        assert await world.rows("SELECT DISTINCT consumer FROM held") == [(A,)]


@asynccontextmanager
async def _building(world, hurt, until, quick):
    """A shown generation that holds the broken session, and a second one whose engine `build` lets catch up."""
    await world.tell(*_broken(hurt))
    async with world.running("worker"):
        await until(lambda: _held(world, A, "gap"))
    service = world.service()
    async with service.database.transaction() as conn:
        generation = await generations.begin_rebuild(conn, by="test")

    async def build() -> None:
        runner = engine_of(
            generation,
            Slot("b"),
            database=service.database,
            kafka=Kafka(world.settings.kafka_bootstrap, world.prefix),
            tuning=quick,
            published=lambda: None,
        )
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        await until(lambda: _is(world, _READ_ALL, True, generation))
        stop.set()
        await task

    try:
        yield service, build
    finally:
        await service.database.close()


_READ_ALL = """
SELECT (SELECT sum(next_offset) FROM projection_position WHERE generation = %s)
     = (SELECT sum(next_offset) FROM projection_position p
        JOIN generation g ON g.id = p.generation WHERE state = 'active')
"""


async def _switch_within(conn) -> Any:
    found: dict[str, Generation] = {g.state: g for g in await generations.generations(conn)}
    return await switch.switch(conn, found["active"], found["building"], insist_on_equal=True)


async def _switched(service) -> Any:
    async with service.database.transaction() as conn:
        return await _switch_within(conn)


async def _is(world, query: str, value: Any, *params: Any) -> bool:
    return await world.rows(query, *params) == [(value,)]


def _ignore(merged: Any) -> None:
    pass
