"""From the answer of a command to the visible calendar row, at one command per second and at a hundred.

Ours is two services' processes (consultation and calendar, everything of each in one) with the real relay and
projector. Floor: commit, produce, fetch, upsert in one process that does nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import UUID, uuid4

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.append import COMMAND
from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare, percentiles
from benchmarks.http import consultation, reschedule
from benchmarks.processor import Span
from benchmarks.system import System
from benchmarks.wire import Connection
from benchmarks.world import World, numbered
from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS

RATES: dict[Scale, dict[int, int]] = {
    "tiny": {20: 4},
    "default": {1: 15, 100: 800},
    "full": {1: 60, 100: 3_000},
}
"""Commands per second, and how many in a run."""
GOALS = {20: (6, 20), 1: (6, 20), 100: (9, 50)}
"""By rate: p50 and p99 in milliseconds."""
Spans = Callable[[], Span]
MARK = "INSERT INTO outbox (topic, key, position) SELECT %s, stream_id, position FROM events ORDER BY position"
VISIBLE = "SELECT session_id FROM session_calendar WHERE session_id = ANY(%s) AND version >= 6 AND dated"


class Floor:
    """Commit, produce, fetch, upsert."""

    def __init__(
        self, span: Spans, url: str, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, topic: str
    ) -> None:
        self._span, self._url, self._producer, self._consumer, self._topic = span, url, producer, consumer, topic

    async def run(self, rate: int, count: int) -> Run:
        """At that rate; from the commit of the one row to the commit of the other."""
        committed: dict[bytes, float] = {}
        seconds: list[float] = []
        async with (
            await psycopg.AsyncConnection.connect(self._url, autocommit=True) as writer,
            await psycopg.AsyncConnection.connect(self._url, autocommit=True) as reader,
        ):

            async def fetch() -> None:
                while len(seconds) < count:
                    record = await self._consumer.getone()
                    assert record.key is not None
                    assert record.value is not None
                    await reader.execute(
                        "INSERT INTO shown VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                        [record.key.decode(), record.value.decode()],
                    )
                    seconds.append(time.perf_counter() - committed[record.key])

            async def write(_number: int) -> None:
                key, data = str(uuid4()), '{"filler":"' + "x" * 480 + '"}'
                await writer.execute("INSERT INTO written VALUES (%s, %s)", [key, data])
                committed[key.encode()] = time.perf_counter()
                await self._producer.send_and_wait(self._topic, data.encode(), key.encode())

            with self._span() as span:
                fetching = asyncio.create_task(fetch())
                await paced(range(count), rate, write)
                await asyncio.wait_for(fetching, 30)
        return Run(percentiles(seconds), {COMMAND: span.cost(count)})


class Ours:
    """The two services, and a connection that looks at the calendar."""

    def __init__(self, system: System, span: Spans, world: World, url: str, calendar_url: str) -> None:
        self._span, self._world, self._url, self._calendar_url = span, world, url, calendar_url
        self._tokens = {n: system.token(world.practitioner(n), "practitioner") for n in range(world.practitioners)}
        self._numbers = iter(range(world.sessions))

    async def run(self, rate: int, count: int) -> Run:
        """At that rate; every command's row is waited for."""
        answered: dict[UUID, float] = {}
        seconds: list[float] = []
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(8):
            free.put_nowait(await Connection.to(self._url))

        async def command(number: int) -> None:
            request = reschedule(self._tokens[number % self._world.practitioners], self._world, number)
            connection = await free.get()
            status, body = await connection.ask(request)
            answered[numbered(0, number)] = time.perf_counter()
            free.put_nowait(connection)
            if status != 200:
                raise RuntimeError(f"{status}: {body.decode()}")

        with self._span() as span:
            watching = asyncio.create_task(self._watch(answered, seconds, count))
            await paced([next(self._numbers) for _ in range(count)], rate, command)
            await asyncio.wait_for(watching, 30)
        while not free.empty():
            free.get_nowait().close()
        return Run(percentiles(seconds), {COMMAND: span.cost(count)})

    async def _watch(self, answered: dict[UUID, float], seconds: list[float], count: int) -> None:
        async with await psycopg.AsyncConnection.connect(self._calendar_url, autocommit=True) as conn:
            while len(seconds) < count:
                if answered:
                    found = await (await conn.execute(VISIBLE, [list(answered)])).fetchall()
                    now = time.perf_counter()
                    seconds.extend(now - answered.pop(session_id) for (session_id,) in found)
                await asyncio.sleep(0.001)


async def paced(numbers: "range | list[int]", rate: int, work: Callable[[int], Awaitable[None]]) -> None:
    """Begin one every 1/rate seconds, whether or not the earlier ones are done; return when all are."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for turn, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, began + turn / rate - time.perf_counter()))
            group.create_task(_awaited(work(number)))


async def _awaited(work: Awaitable[None]) -> None:
    await work


@asynccontextmanager
async def floor(system: System) -> AsyncIterator[Floor]:
    """Its two tables, and clients that have joined."""
    url, topic = system.empty_database(), await system.topics() + SESSIONS.name
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE written (id uuid PRIMARY KEY, data json)")
        conn.execute("CREATE TABLE shown (id uuid PRIMARY KEY, data json)")
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka.bootstrap, acks="all")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=system.kafka.bootstrap, fetch_max_wait_ms=500)
    async with connected(producer), connected(consumer):
        yield Floor(partial(system.span, kafka=True), url, producer, consumer, topic)


@asynccontextmanager
async def ours(system: System, sessions: int) -> AsyncIterator[Ours]:
    """The services, with the sessions told and in the calendar."""
    world, prefix = World(sessions), await system.topics()
    store, calendar = system.database("consultation"), system.database("calendar")
    world.fill(store.admin_url)
    settings = {"DATABASE_URL": calendar.app_url, "TOPIC_PREFIX": prefix}
    with psycopg.connect(store.admin_url, autocommit=True) as conn:
        conn.execute(MARK, [SESSIONS.name])
    async with (
        system.identity(),
        consultation(system, "all", store, prefix) as writing,
        system.service("calendar", "all", **settings) as reading,
    ):
        await _until_told(calendar.admin_url, sessions)
        span = partial(system.span, kafka=True, consultation=writing.clock, calendar=reading.clock)
        yield Ours(system, span, world, writing.url, calendar.app_url)


async def _until_told(url: str, sessions: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn, asyncio.timeout(120):
        while True:
            with suppress(psycopg.Error):
                found = await conn.execute("SELECT count(*) FROM session_calendar WHERE version = 5")
                row = await found.fetchone()
                if row is not None and row[0] == sessions:
                    return
            await asyncio.sleep(0.05)


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """A table per rate."""
    rates = RATES[scale]
    reports: list[Report] = []
    async with floor(system) as least, ours(system, sum(rates.values()) * (rounds + 1)) as services:
        for rate, count in rates.items():
            p50, p99 = (Goal(limit, of="figure", least=False) for limit in GOALS[rate])
            goals = {"p50 ms": p50, "p99 ms": p99}
            contestants = [
                Contestant("floor: commit, produce, fetch, upsert", partial(least.run, rate, count)),
                Contestant("booking: from the answer to the row", partial(services.run, rate, count), goals),
            ]
            title = f"End to end: {count:,} commands at {rate} per second"
            reports.append(await compare(title, contestants[0], contestants[1:], rounds=rounds))
    return reports
