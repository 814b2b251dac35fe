"""Measuring what an operation costs: processor time by process, write-ahead log, statements, bytes; a few minutes.

Small workloads on durable servers of the benchmarks' own, each with one copy of the process and some with two: where
two cost as much per operation as one, throughput grows with copies as long as there are cores, however few are here.
"""

import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg

from benchmarks import append, growth, latency, messages, projector, relay
from benchmarks.capacity.costs import (
    COMMAND,
    IN_PROCESS,
    LIVE,
    MESSAGE,
    PROJECTED,
    READS,
    RELAYED,
    Costs,
    Operation,
    Point,
)
from benchmarks.harness import Scale, machine
from benchmarks.http import CONNECTIONS, consultation, reschedule
from benchmarks.processor import Clock, Cost, nanoseconds, process
from benchmarks.system import Database as Place
from benchmarks.system import Service, System
from benchmarks.wire import Connection, prepared
from benchmarks.world import World, body_of, numbered
from booking_local.layout import Layout
from booking_process.database import Database

SIZES: dict[Scale, int] = {"tiny": 24, "default": 1_500, "full": 6_000}
LIVE_RATES = (10, 40)
"""Commands a second at which each event is by itself in relay and projector. Two of them: what the processes use while
nothing happens is then no event's."""
_IDLE = 4.0
"""Seconds in which the notifier is watched while nothing is sent: what it uses then is no message's."""


class Meter:
    """`with Meter(...) as meter:` measures what is done inside; `operation(n)` is the cost of each of so many."""

    def __init__(self, system: System, place: Place, **clocks: Clock) -> None:
        self._admin = psycopg.connect(place.admin_url, autocommit=True)
        self._admin.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        self._span = system.span(kafka=True, **clocks)
        self._before, self._others = ("0/0", 0), 0.0
        self._log = (0.0, 0.0)
        self._statements = 0
        self.seconds = 0.0
        self.cores = float(os.cpu_count() or 1)
        """What was there for all that was measured: the machine's cores without what others used of them."""

    def __enter__(self) -> Self:
        self._before, self._others = self._counted(), _busy()
        self._span.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._span.__exit__(*raised)
        self.seconds = self._span.seconds
        ours = sum(self._span.cost(1).values()) / 1e6
        others = max(0.0, _busy() - self._others - ours)
        self.cores -= min(self.cores / 2, others / self.seconds)
        (start, before), (end, after) = self._before, self._counted()
        self._statements = after - before
        with suppress(psycopg.errors.InternalError):  # nothing was written
            row = self._admin.execute(
                "SELECT coalesce(sum(record_size), 0)::float8, coalesce(sum(fpi_size), 0)::float8"
                " FROM pg_get_wal_stats(%s, %s)",
                [start, end],
            ).fetchone()
            assert row is not None
            self._log = row

    def operation(self, times: int, **names: str) -> Operation:
        """Of each; ``names`` tell which clock is the service's."""
        cost = dict(self._span.cost(times))
        for ours, clock in names.items():
            cost[ours] = cost.pop(clock)
        wal, pages = self._log
        return Operation(cost, wal / times, pages / times, self._statements / times)

    def close(self) -> None:
        """Hang up."""
        self._admin.close()

    def _counted(self) -> tuple[str, int]:
        row = self._admin.execute(
            "SELECT pg_current_wal_flush_lsn()::text, xact_commit FROM pg_stat_database"
            " WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        return row


@contextmanager
def metered(system: System, place: Place, **clocks: Clock) -> Iterator[Meter]:
    """A meter, closed afterwards."""
    meter = Meter(system, place, **clocks)
    try:
        with meter:
            yield meter
    finally:
        meter.close()


async def measure(system: System, scale: Scale = "default") -> Costs:
    """All of it, on this machine as it is now. Raises RuntimeError where a service answers otherwise than it should."""
    found, before = _Found(system, SIZES[scale]), machine()
    parts = [
        ("commands in this process", found.in_process),
        ("over HTTP", found.over_http),
        ("events by themselves", found.by_itself),
        ("relays and projectors", found.in_bulk),
        ("messages", found.messages),
    ]
    for name, part in parts if scale != "tiny" else parts[:-1]:
        print(f"  capacity: {name}", file=sys.stderr, flush=True)
        await part()
    return Costs(before, found.operations, found.bytes, found.copies, _flush(system), tuple(found.points))


class _Found:
    """What is found, part by part."""

    def __init__(self, system: System, many: int) -> None:
        self._system, self._many = system, many
        self.operations: dict[str, Operation] = {}
        self.copies: dict[str, float] = {}
        self.bytes: dict[str, float] = {}
        self.points: list[Point] = []

    async def in_process(self) -> None:
        """The command without HTTP, with one client and with eight; what a session takes in the store."""
        ours, place = append.Ours(self._system, self._many), self._system.database("consultation")
        world = World(2 * self._many + append.WARM * (1 + 8))
        world.fill(place.admin_url)
        self._sizes(place, world.sessions)
        numbers = iter(range(world.sessions))
        for clients in (1, 8):
            database = Database(place.app_url, pool_size=clients)
            await asyncio.gather(*(database.ping() for _ in range(clients)))
            warm, seconds = itertools.islice(numbers, append.WARM * clients), list[float]()

            async def client(wanted: Iterator[int], database: Database, seconds: list[float]) -> None:
                for number in wanted:
                    began = time.perf_counter()
                    await ours.command(number, body_of(world.next_times(number)), world, database)
                    seconds.append(time.perf_counter() - began)

            await asyncio.gather(*(client(warm, database, seconds) for _ in range(clients)))
            seconds.clear()
            wanted = itertools.islice(numbers, self._many)
            self._system.settle()
            with metered(self._system, place) as meter:
                await asyncio.gather(*(client(wanted, database, seconds) for _ in range(clients)))
            await database.close()
            self.operations[IN_PROCESS] = meter.operation(self._many, service="client")
            self._point(IN_PROCESS, clients, meter, seconds)

    async def over_http(self) -> None:
        """The command, also with two api processes on the same database; and the reads."""
        prefix, place = await self._system.topics(), self._system.database("consultation")
        world, many = World(3 * self._many, practitioners=max(1, self._many // 10)), self._many
        world.fill(place.admin_url)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._system.identity())
            one, two = [await stack.enter_async_context(consultation(self._system, "api", place, prefix)) for _ in "12"]
            tokens = [self._system.token(world.practitioner(n), "practitioner") for n in range(world.practitioners)]
            asked = iter([reschedule(tokens[n % len(tokens)], world, n) for n in range(3 * many)])
            self._system.settle()
            with metered(self._system, place, service=one.clock) as meter:
                seconds = await _ask([one], itertools.islice(asked, many))
            self.operations[COMMAND] = alone = meter.operation(many)
            self._point(COMMAND, CONNECTIONS, meter, seconds)
            with metered(self._system, place, service=one.clock, second=two.clock) as meter:
                await _ask([one, two], itertools.islice(asked, 2 * many))
            both = meter.operation(2 * many).processor
            self.copies["command, two api processes"] = (both["service"] + both["second"] + both["PostgreSQL"]) / (
                alone.processor["service"] + alone.processor["PostgreSQL"]
            )
            sessions = [_get(tokens[n % len(tokens)], f"/v1/sessions/{numbered(0, n)}") for n in range(many)]
            self.operations[READS[0]] = await self._read(place, one, sessions)
            page = [_get(tokens[n % len(tokens)], "/v1/sessions?limit=20") for n in range(many)]
            self.operations[READS[1]] = await self._read(place, one, page)
            calendar = self._system.database("calendar")
            growth.show(place, calendar)
            shown = self._system.service("calendar", "api", DATABASE_URL=calendar.app_url, TOPIC_PREFIX=prefix)
            reader = await stack.enter_async_context(shown)
            first = world.start(0)
            span = f"start={first:%Y-%m-%d}&end={first.replace(year=first.year + 1):%Y-%m-%d}"
            days = [_get(tokens[n % len(tokens)], f"/v1/calendar/events?{span}&limit=20") for n in range(many)]
            self.operations[READS[2]] = await self._read(calendar, reader, days)
            self.bytes["calendar row"] = _size(calendar, "user_schedule_a") / world.sessions

    async def by_itself(self) -> None:
        """One event after another through relay and projector: the dear way, which a low load takes."""
        low, high = LIVE_RATES
        count = min(self._many, 8 * low)
        async with latency.ours(self._system, 5 * count) as services:
            slow = await services.run(low, count)
            with metered(self._system, self._system.database("consultation")) as meter:
                fast = await services.run(high, 4 * count)
        parts = {
            whose: max(0.0, (high * used - low * slow.costs[append.COMMAND][whose]) / (high - low))
            for whose, used in fast.costs[append.COMMAND].items()
        }
        command, whole = self.operations[COMMAND], meter.operation(4 * count)
        self.operations[LIVE] = Operation(
            {
                "service": parts["calendar"],
                "relay": max(0.0, parts["consultation"] - command.processor["service"]),
                "PostgreSQL": max(0.0, parts["PostgreSQL"] - command.processor["PostgreSQL"]),
                "Kafka": parts["Kafka"],
            },
            max(0.0, whole.wal - command.wal),
        )

    async def in_bulk(self) -> None:
        """Many events at once through relay and projector, by one of them and by two."""
        events = 10 * self._many
        benches = [relay.filled(self._system, events) for _ in "12"]
        alone, both = await self._relays(benches[:1], events), await self._relays(benches, events)
        run = await benches[0].relay()
        self.operations[RELAYED] = _named(run.costs[relay.EVENT])
        self.copies["event relayed, two services' relays"] = both / alone
        _, prefix = await projector.told(self._system, 2 * self._many)
        events = 2 * self._many * projector.EACH
        ours = projector.Ours(self._system, prefix, events)
        totals: list[float] = []
        for copies in (1, 2):
            run = await ours.project(self._system.database("calendar"), 1, copies=copies)
            totals.append(sum(run.costs[projector.EVENT].values()))
            if copies == 1:
                self.operations[PROJECTED] = _named(run.costs[projector.EVENT])
        self.copies["event projected, two projectors"] = totals[1] / totals[0]
        self.bytes["record on the broker's disk"] = _on_disk(self._system, prefix) / events

    async def _relays(self, benches: list[relay.Bench], events: int) -> float:
        with self._system.span(kafka=True) as span:
            await asyncio.gather(*(bench.relay() for bench in benches))
        return sum(span.cost(events * len(benches)).values())

    async def messages(self) -> None:
        """A whole stack, filled so that every event asks for messages; what they cost the notifier and its database."""
        sessions = self._many // 5
        with tempfile.TemporaryDirectory(prefix="booking-bench-") as folder:
            os.chmod(folder, 0o755)  # noqa: PTH101
            state = Path(folder) / "state"
            settings = Layout(state).settings_of("notifier")
            settings.parent.mkdir(parents=True)
            settings.write_text("WHATSAPP_PACE_SECONDS=0\n")
            await asyncio.to_thread(messages.booking, state, "up", "--detach")
            try:
                known = json.loads((state / "endpoints.json").read_text())
                pids = {one["name"]: one["pid"] for one in known["processes"]}
                service, database = process(pids["notifier-all"]), _Backends(known["postgres"]["notifier"])
                began, used = time.monotonic(), service()
                await asyncio.sleep(_IDLE)
                idle, idle_there = (service() - used) / _IDLE, database.used() / _IDLE
                ledger, _ = await asyncio.to_thread(messages.tell, state, sessions, 600)
                seconds = time.monotonic() - began
                ours, theirs = service() - used - idle * seconds, database.used() - idle_there * seconds
            finally:
                await asyncio.to_thread(messages.booking, state, "down")
        sent = sum(messages.sent_of(ledger).values())
        self.operations[MESSAGE] = Operation({"service": 1e6 * ours / sent, "PostgreSQL": 1e6 * theirs / sent})

    async def _read(self, place: Place, service: Service, requests: list[bytes]) -> Operation:
        await _ask([service], iter(requests[:50]))
        with metered(self._system, place, service=service.clock) as meter:
            await _ask([service], iter(requests))
        return meter.operation(len(requests))

    def _point(self, name: str, clients: int, meter: Meter, seconds: list[float]) -> None:
        p50 = statistics.median(seconds)
        self.points.append(Point(name, clients, meter.cores, len(seconds) / meter.seconds, p50))

    def _sizes(self, place: Place, sessions: int) -> None:
        events = sessions * projector.EACH
        self.bytes["event stored"] = _size(place, "events") / events
        self.bytes["event's indexes"] = _size(place, "events", "pg_indexes_size") / events
        self.bytes["session stored"] = (_size(place, "feedback_session") + _size(place, "time_claim")) / sessions


def _named(cost: Cost) -> Operation:
    """The client is the service here: it runs in this process."""
    return Operation({("service" if whose == "client" else whose): used for whose, used in cost.items()})


class _Backends:
    """The processor time of a database's connections, in seconds since this was made."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before = self._now()

    def used(self) -> float:
        """Of those that are there now."""
        return sum(used - self._before.get(pid, 0) for pid, used in self._now().items()) / 1e9

    def _now(self) -> dict[int, int]:
        with psycopg.connect(self._url) as conn:
            rows = conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        used: dict[int, int] = {}
        for (pid,) in rows:
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended between the two looks
                used[pid] = nanoseconds(pid)
        return used


async def _ask(services: list[Service], requests: Iterator[bytes]) -> list[float]:
    """Over eight connections to each, one request after the other on each; the seconds that each took."""
    connections = [await Connection.to(service.url) for service in services for _ in range(CONNECTIONS)]
    seconds: list[float] = []

    async def client(connection: Connection) -> None:
        for request in requests:
            began = time.perf_counter()
            status, body = await connection.ask(request)
            seconds.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"{status}: {body.decode()}")

    await asyncio.gather(*map(client, connections))
    for connection in connections:
        connection.close()
    return seconds


def _get(token: str, path: str) -> bytes:
    return prepared("GET", path, {"Authorization": f"Bearer {token}"}, b"")


def _size(place: Place, table: str, function: str = "pg_total_relation_size") -> float:
    with psycopg.connect(place.admin_url) as conn:
        row = conn.execute(f"SELECT {function}(%s::regclass)".encode(), [table]).fetchone()
    assert row is not None
    return float(row[0])


def _on_disk(system: System, prefix: str) -> float:
    """Bytes of the topics of that prefix on the broker's disk, without the room that indexes have for later."""
    logs = (system.stack.layout.folder / "kafka" / "data").glob(f"{prefix}*/*.log")
    return float(sum(path.stat().st_size for path in logs))


def _flush(system: System, times: int = 200) -> float:
    """Seconds that a block takes to the disk that PostgreSQL's log is on, the median."""
    path, seconds = system.stack.layout.folder / "flushed", list[float]()
    with path.open("wb") as file:
        for _ in range(times):
            file.seek(0)
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(seconds)


def _busy() -> float:
    """Seconds that all processors of this machine have worked so far."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(word) for word in words[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
