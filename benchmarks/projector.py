"""The projector: the events of many sessions from Kafka into calendar rows, live and as a rebuild (C2).

Floor: one INSERT..SELECT inside PostgreSQL, from the stored events into rows with a key alone. Ours reads Kafka, folds,
and merges into the slot with its indexes, moving rows and positions in one transaction; live also marks every row for
publishing. Rates are taken from the first position that moved, so joining the group costs nothing.
"""

import asyncio
import time

import psycopg

from benchmarks.harness import Contestant, Figures, Goal, Report, Scale, compare
from benchmarks.system import Database as Place
from benchmarks.system import System
from benchmarks.world import World
from booking_contracts.topics import SESSIONS
from booking_outbox import EventTopic, Relay, Waker
from booking_process.database import Database
from calendar_projector.projection.consumer import Kafka
from calendar_projector.projection.generations import begin_rebuild
from calendar_projector.projection.projector import Projector
from calendar_projector.projection.slot import Merged

SESSIONS_TOLD: dict[Scale, int] = {"tiny": 40, "default": 20_000, "full": 40_000}
EACH = 5
UNIT = "events/s"
ROWS = """
CREATE TABLE rows (
    session_id uuid PRIMARY KEY, version integer, transaction_id uuid, practitioner_id uuid, user_id uuid, status text,
    scheduled_date date, time_start time, time_end time, timezone text, starts_at timestamptz, ends_at timestamptz,
    meeting_link text, schedule_version integer
)
"""
FLOOR = """
INSERT INTO rows
SELECT stream_id, version, d.*
FROM (SELECT DISTINCT ON (stream_id) stream_id, version, data FROM events ORDER BY stream_id, version DESC) last,
     json_to_record(data) AS d (
         transaction_id uuid, practitioner_id uuid, user_id uuid, status text, scheduled_date date, time_start time,
         time_end time, timezone text, starts_at timestamptz, ends_at timestamptz, meeting_link text,
         schedule_version integer
     )
"""
MOVED = "SELECT coalesce(sum(next_offset), 0) FROM projection_position WHERE generation = %s"


class Floor:
    """Inside one database."""

    def __init__(self, system: System, url: str, events: int) -> None:
        self._system, self._url, self._events = system, url, events
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(ROWS.encode())

    async def run(self) -> Figures:
        """One statement, one commit."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute("TRUNCATE rows")
            conn.execute("SET work_mem = '64MB'")
            self._system.settle()
            started = time.perf_counter()
            conn.execute(FLOOR.encode())
            return {UNIT: self._events / (time.perf_counter() - started)}


class Ours:
    """The projector of the service, in this process; each live run has a new database, which its rebuild uses."""

    def __init__(self, system: System, prefix: str, events: int) -> None:
        self._system, self._events = system, events
        self._kafka = Kafka(system.kafka.bootstrap, prefix)
        self._place: Place | None = None

    async def live(self) -> Figures:
        """From an empty slot to the topic's end."""
        self._place = self._system.database("calendar")
        self._system.settle()
        return await self._run(self._place, 1)

    async def rebuild(self) -> Figures:
        """The other slot, beside the one that is shown."""
        assert self._place is not None
        async with await psycopg.AsyncConnection.connect(self._place.app_url) as conn:
            generation = await begin_rebuild(conn, by="bench")
        self._system.settle()
        return await self._run(self._place, generation)

    async def _run(self, place: Place, generation: int) -> Figures:
        database, stop = Database(place.app_url), asyncio.Event()
        projector = Projector(database=database, kafka=self._kafka, listener=_Nobody(), patience=3600.0)
        running = asyncio.create_task(projector.run(stop))
        async with await psycopg.AsyncConnection.connect(place.app_url, autocommit=True) as conn:
            first = await self._at_least(conn, generation, 1, running)
            started = time.perf_counter()
            await self._at_least(conn, generation, self._events, running)
            seconds = time.perf_counter() - started
        stop.set()
        await running
        await database.close()
        return {UNIT: (self._events - first) / seconds if first < self._events else float(self._events)}

    async def _at_least(
        self, conn: psycopg.AsyncConnection, generation: int, events: int, running: asyncio.Task[None]
    ) -> int:
        deadline = time.monotonic() + 600
        while True:
            row = await (await conn.execute(MOVED, [generation])).fetchone()
            if row is not None and row[0] >= events:
                return int(row[0])
            if running.done() or time.monotonic() > deadline:
                raise RuntimeError(f"the projector stopped at {row} of {events} events")
            await asyncio.sleep(0.005)


class _Nobody:
    def committed(self, merged: Merged) -> None:
        """Nobody looks."""


async def told(system: System, sessions: int) -> tuple[Place, str]:
    """A filled store and the prefix of the topics where the relay has published all of it."""
    place, prefix = system.database("consultation"), await system.topics()
    World(sessions).fill(place.admin_url)
    relay = Relay(
        database_url=place.app_url,
        bootstrap=system.kafka.bootstrap,
        topic_prefix=prefix,
        topics=[EventTopic(SESSIONS)],
        lock_name="bench",
        wake=Waker(place.app_url),
    )
    mark = "INSERT INTO outbox (topic, key, position) SELECT %s, stream_id, position FROM events ORDER BY position"
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    async with await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as conn:
        await conn.execute(mark, [SESSIONS.name])
        while await (await conn.execute("SELECT 1 FROM outbox LIMIT 1")).fetchone():
            await asyncio.sleep(0.02)
    stop.set()
    await running
    return place, prefix


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """Tell the events once, project them again and again."""
    sessions = SESSIONS_TOLD[scale]
    place, prefix = await told(system, sessions)
    events = sessions * EACH
    ours = Ours(system, prefix, events)
    floor = Contestant("floor: INSERT..SELECT", Floor(system, place.admin_url, events).run)
    others = [
        Contestant("booking: live", ours.live, {UNIT: Goal(0.18)}),
        Contestant("booking: rebuild", ours.rebuild, {UNIT: Goal(0.28)}),
    ]
    return [await compare(f"Projector: {events:,} events of {sessions:,} sessions", floor, others, rounds=rounds)]
