"""The projector: the events of many sessions from Kafka into calendar rows, live and as a rebuild (C2).

Floor: one INSERT..SELECT inside PostgreSQL, from the stored events into rows with a key alone. Ours reads Kafka, folds,
and merges into the slot with its indexes, moving rows and positions in one transaction; live also marks every row for
publishing. Rates are taken from the first position that moved, so joining the group costs nothing.
"""

import asyncio
import json
import time

import psycopg
from aiokafka import AIOKafkaConsumer

from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare
from benchmarks.peers import eventsourcing
from benchmarks.system import Database as Place
from benchmarks.system import System
from benchmarks.world import World
from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS
from booking_outbox import EventTopic, Relay, Waker
from booking_process.database import Database
from calendar_projector.projection.consumer import Kafka
from calendar_projector.projection.generations import begin_rebuild
from calendar_projector.projection.projector import Projector

SESSIONS_TOLD: dict[Scale, int] = {"tiny": 40, "default": 20_000, "full": 40_000}
EACH = 5
UNIT, EVENT = "events/s", "event"
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
NAMES = (
    "transaction_id", "practitioner_id", "user_id", "status", "scheduled_date", "time_start", "time_end", "timezone",
    "starts_at", "ends_at", "meeting_link", "schedule_version",
)  # fmt: skip
COPY = f"COPY stage (session_id, {', '.join(NAMES)}) FROM STDIN"
MERGE = f"""
INSERT INTO rows SELECT * FROM stage ON CONFLICT (session_id)
DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in NAMES)}
"""
MOVED = "SELECT coalesce(sum(next_offset), 0) FROM projection_position WHERE generation = %s"


class Floor:
    """Inside one database."""

    def __init__(self, system: System, url: str, events: int) -> None:
        self._system, self._url, self._events = system, url, events
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(ROWS.encode())

    async def run(self) -> Run:
        """One statement, one commit."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute("TRUNCATE rows")
            conn.execute("SET work_mem = '64MB'")
            self._system.settle()
            with self._system.span() as span:
                conn.execute(FLOOR.encode())
        return Run({UNIT: self._events / span.seconds}, {EVENT: span.cost(self._events)})


class Ours:
    """The projector of the service, in this process; each live run has a new database, which its rebuild uses."""

    def __init__(self, system: System, prefix: str, events: int) -> None:
        self._system, self._events = system, events
        self._kafka = Kafka(system.kafka.bootstrap, prefix)
        self._place: Place | None = None

    async def live(self) -> Run:
        """From an empty slot to the topic's end."""
        self._place = self._system.database("calendar")
        self._system.settle()
        return await self.project(self._place, 1)

    async def rebuild(self) -> Run:
        """The other slot, beside the one that is shown."""
        assert self._place is not None
        async with await psycopg.AsyncConnection.connect(self._place.app_url) as conn:
            generation = await begin_rebuild(conn, by="bench")
        self._system.settle()
        return await self.project(self._place, generation)

    async def project(self, place: Place, generation: int, *, copies: int = 1) -> Run:
        """All events into that generation, by so many projectors that share the partitions."""
        stop, databases = asyncio.Event(), [Database(place.app_url) for _ in range(copies)]
        projectors = [
            Projector(database=database, kafka=self._kafka, published=lambda: None, patience=3600.0)
            for database in databases
        ]
        running = asyncio.gather(*(projector.run(stop) for projector in projectors))
        async with await psycopg.AsyncConnection.connect(place.app_url, autocommit=True) as conn:
            first = await self._at_least(conn, generation, 1, running)
            with self._system.span(kafka=True) as span:
                await self._at_least(conn, generation, self._events, running)
        stop.set()
        await running
        for database in databases:
            await database.close()
        left = max(1, self._events - first)  # none are left where all moved at once, as in the tests' size
        return Run({UNIT: left / span.seconds}, {EVENT: span.cost(left)})

    async def _at_least(
        self, conn: psycopg.AsyncConnection, generation: int, events: int, running: asyncio.Future[list[None]]
    ) -> int:
        deadline = time.monotonic() + 600
        while True:
            row = await (await conn.execute(MOVED, [generation])).fetchone()
            if row is not None and row[0] >= events:
                return int(row[0])
            if running.done() or time.monotonic() > deadline:
                raise RuntimeError(f"the projector stopped at {row} of {events} events")
            await asyncio.sleep(0.005)


class CopyAlone:
    """Batches of records from Kafka parsed, the last of each session put into the floor's rows by COPY and one merge.

    No position is kept, no version looked at, no event validated: what batch and COPY cost without a projection's duty.
    """

    def __init__(self, system: System, url: str, prefix: str, events: int) -> None:
        self._system, self._url, self._topic, self._events = system, url, prefix + SESSIONS.name, events

    async def run(self) -> Run:
        """From the topic's beginning to its end."""
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._system.kafka.bootstrap,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8_000_000,
        )
        async with connected(consumer), await psycopg.AsyncConnection.connect(self._url, autocommit=True) as conn:
            await conn.execute("TRUNCATE rows")
            await conn.execute("CREATE TEMPORARY TABLE stage (LIKE rows)")
            self._system.settle()
            read = 0
            with self._system.span(kafka=True) as span:
                while read < self._events:
                    found = await consumer.getmany(timeout_ms=1000, max_records=5_000)
                    records = [record for some in found.values() for record in some]
                    read += len(records)
                    await self._merge(conn, {record.key: json.loads(record.value or b"{}") for record in records})
        return Run({UNIT: self._events / span.seconds}, {EVENT: span.cost(self._events)})

    async def _merge(self, conn: psycopg.AsyncConnection, last: dict[bytes | None, dict[str, object]]) -> None:
        async with conn.transaction(), conn.cursor() as cursor:
            async with cursor.copy(COPY.encode()) as copy:
                for data in last.values():
                    await copy.write_row([data["session_id"], *(data.get(name) for name in NAMES)])
            await conn.execute(MERGE.encode())
            await conn.execute("TRUNCATE stage")


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
        Contestant("booking: live", ours.live, {UNIT: Goal(0.22)}),
        Contestant("booking: rebuild", ours.rebuild, {UNIT: Goal(0.35)}),
        Contestant("batch and COPY alone", CopyAlone(system, place.admin_url, prefix, events).run),
    ]
    if scale != "tiny":
        others.append(Contestant(eventsourcing.RUNNER, eventsourcing.Runner(system, sessions).run))
    return [await compare(f"Projector: {events:,} events of {sessions:,} sessions", floor, others, rounds=rounds)]
