"""The command over HTTP, 8 connections, one process: token, validation, idempotency key, telemetry exported.

Floor: pgbench with the append's two statements and 8 clients. Ours runs twice: the api process, as copies of it scale;
and the whole service in one process, which relays every event to Kafka besides.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

from benchmarks.append import COMMAND, COMMANDS, UNIT, Floor, numbers_of
from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare, percentiles
from benchmarks.peers import fastapi_alone
from benchmarks.system import Database, Service, System
from benchmarks.wire import Connection, collector, prepared
from benchmarks.world import World, body_of, numbered

CONNECTIONS = 8


async def asked(system: System, service: Service, requests: list[bytes]) -> Run:
    """All of them over 8 connections, one after the other on each. Raises RuntimeError at an answer but 200."""
    left, seconds = iter(requests), list[float]()
    connections = [await Connection.to(service.url) for _ in range(CONNECTIONS)]

    async def client(connection: Connection) -> None:
        for request in left:
            began = time.perf_counter()
            status, body = await connection.ask(request)
            seconds.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"{status}: {body.decode()}")

    with system.span(service=service.clock, kafka=True) as span:
        await asyncio.gather(*map(client, connections))
    for connection in connections:
        connection.close()
    figures = {UNIT: len(requests) / span.seconds, **percentiles(seconds)}
    return Run(figures, {COMMAND: span.cost(len(requests))})


class Ours:
    """A process of consultation, and what is asked of it."""

    def __init__(self, system: System, service: Service, place: Database, commands: int) -> None:
        self._system, self._service, self._place, self._commands = system, service, place, commands
        self._first = itertools.count(0, commands)
        self._tokens = {
            n: system.token(World(1).practitioner(n), "practitioner") for n in range(World(1).practitioners)
        }

    async def run(self) -> Run:
        """Fill, then ask over 8 connections."""
        world = World(self._commands, first=next(self._first))
        world.fill(self._place.admin_url)
        self._system.settle()
        tokens, count = self._tokens, world.practitioners
        requests = [reschedule(tokens[number % count], world, number) for number in numbers_of(world)]
        return await asked(self._system, self._service, requests)


class Alone:
    """FastAPI and psycopg with the floor's two statements, on the floor's tables and streams."""

    def __init__(self, system: System, service: Service, floor: Floor, commands: int) -> None:
        self._system, self._service, self._floor, self._commands = system, service, floor, commands

    async def run(self) -> Run:
        """Fill, then ask over 8 connections."""
        first, body = self._floor.fill(), body_of(World(1).next_times(0))
        headers = {"Content-Type": "application/json"}
        paths = (f"/v1/sessions/{UUID(int=first + turn)}/schedule" for turn in range(self._commands))
        return await asked(self._system, self._service, [prepared("PUT", path, headers, body) for path in paths])


def reschedule(token: str, world: World, number: int) -> bytes:
    """`PUT /v1/sessions/{id}/schedule` of a session at version 5."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "If-Match": '"5"',
        "Idempotency-Key": str(uuid4()),
    }
    path = f"/v1/sessions/{numbered(0, number)}/schedule"
    return prepared("PUT", path, headers, body_of(world.next_times(number)))


@asynccontextmanager
async def consultation(system: System, mode: str, place: Database, prefix: str, **more: str) -> AsyncIterator[Service]:
    """A process of consultation on that database."""
    settings = {"DATABASE_URL": place.app_url, "TOPIC_PREFIX": prefix, **more}
    async with system.service("consultation", mode, **settings) as running:
        yield running


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table."""
    commands = COMMANDS[scale] // 2
    floor, prefix = Floor(system, commands), await system.topics()
    goals = {UNIT: Goal(0.12), "p99 ms": Goal(25, of="figure", least=False)}

    async def run_floor() -> Run:
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
            running = await stack.enter_async_context(consultation(system, mode, place, prefix, **settings))
            others.append(Contestant(name, Ours(system, running, place, commands).run, promised))
        if scale != "tiny":
            alone = await stack.enter_async_context(system.program(fastapi_alone.__name__, DATABASE_URL=floor.url))
            others.append(Contestant(fastapi_alone.NAME, Alone(system, alone, floor, commands).run))
        title = f"HTTP: {commands:,} commands, {CONNECTIONS} connections"
        first = Contestant("floor: pgbench, two statements", run_floor)
        return [await compare(title, first, others, rounds=rounds)]
