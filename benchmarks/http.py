"""The command over HTTP, 8 connections, one process: token, validation, idempotency key, telemetry exported.

Floor: pgbench with the append's two statements and 8 clients. Ours runs twice: the api process, as copies of it scale;
and the whole service in one process, which relays every event to Kafka besides.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from benchmarks.append import COMMANDS, UNIT, Floor, numbers_of
from benchmarks.harness import Contestant, Figures, Goal, Report, Scale, compare, percentiles
from benchmarks.system import Database, System
from benchmarks.wire import Connection, collector, prepared
from benchmarks.world import World, body_of, numbered

CONNECTIONS = 8


class Ours:
    """A process of consultation, and what is asked of it."""

    def __init__(self, system: System, url: str, place: Database, commands: int) -> None:
        self._system, self._url, self._place, self._commands = system, url, place, commands
        self._first = itertools.count(0, commands)
        self._tokens = {
            n: system.token(World(1).practitioner(n), "practitioner") for n in range(World(1).practitioners)
        }

    async def run(self) -> Figures:
        """Fill, then ask over 8 connections."""
        world = World(self._commands, first=next(self._first))
        world.fill(self._place.admin_url)
        self._system.settle()
        requests = iter([self._request(world, number) for number in numbers_of(world)])
        seconds: list[float] = []
        connections = [await Connection.to(self._url) for _ in range(CONNECTIONS)]
        started = time.perf_counter()
        await asyncio.gather(*(self._client(connection, requests, seconds) for connection in connections))
        elapsed = time.perf_counter() - started
        for connection in connections:
            connection.close()
        return {UNIT: self._commands / elapsed, **percentiles(seconds)}

    def _request(self, world: World, number: int) -> bytes:
        return reschedule(self._tokens[number % world.practitioners], world, number)

    async def _client(self, connection: Connection, requests: Iterator[bytes], seconds: list[float]) -> None:
        for request in requests:
            began = time.perf_counter()
            status, body = await connection.ask(request)
            seconds.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"{status}: {body.decode()}")


def reschedule(token: str, world: World, number: int) -> bytes:
    """`PUT /v1/sessions/{id}/schedule` of a session at version 5."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "If-Match": '"5"',
        "Idempotency-Key": str(uuid4()),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    path = f"/v1/sessions/{numbered(0, number)}/schedule"
    return prepared("PUT", path, headers, body_of(world.next_times(number)))


@asynccontextmanager
async def consultation(system: System, mode: str, place: Database, prefix: str, **more: str) -> AsyncIterator[str]:
    """A process of consultation on that database; its address."""
    settings = {"DATABASE_URL": place.app_url, "TOPIC_PREFIX": prefix, **more}
    async with system.service("consultation", mode, **settings) as url:
        yield url


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table."""
    commands = COMMANDS[scale] // 2
    floor, prefix = Floor(system, commands), await system.topics()
    goals = {UNIT: Goal(0.15), "p99 ms": Goal(25, of="figure", least=False)}

    async def run_floor() -> Figures:
        return await floor.run(CONNECTIONS)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(system.identity())
        telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": await stack.enter_async_context(collector())}
        others: list[Contestant] = []
        kinds = (
            ("booking: api process", "api", telemetry, goals),
            ("booking: api process, no telemetry", "api", {}, {}),
            ("booking: api, relay and timers in one process", "all", telemetry, {}),
        )
        for name, mode, settings, promised in kinds[: 1 if scale == "tiny" else None]:
            place = system.database("consultation")
            url = await stack.enter_async_context(consultation(system, mode, place, prefix, **settings))
            others.append(Contestant(name, Ours(system, url, place, commands).run, promised))
        title = f"HTTP: {commands:,} commands, {CONNECTIONS} connections"
        first = Contestant("floor: pgbench, two statements", run_floor)
        return [await compare(title, first, others, rounds=rounds)]
