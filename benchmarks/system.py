"""The system that is measured: durable servers of the benchmarks' own, the services' databases, their processes.

Everything lies in one temporary folder and on free ports, and is gone afterwards.
"""

import asyncio
import dataclasses
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import sql

from benchmarks.processor import Clock, Span, own, postgres, process
from booking_contracts.admin import create_topics
from booking_contracts.deadlines import connected
from booking_contracts.topics import TOPICS
from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.servers.kafka import Kafka
from booking_local.servers.ports import choose, free_port
from booking_local.servers.postgres import Postgres
from booking_local.servers.process import Command, Server, last_lines, spawn, stop
from booking_local.stack import databases, programs
from booking_local.stack.programs import ask
from booking_local.stack.secrets import load_or_make, sign

_PATIENCE = 60.0


class System:
    """Servers start when they are first asked for; PostgreSQL runs with fsync on: durable work is what is measured."""

    def __init__(self, folder: Path) -> None:
        layout = Layout(folder)
        layout.make()
        taken = choose(layout, None)
        addresses = (f"127.0.0.1:{taken['postgres']}", f"127.0.0.1:{taken['kafka']}")
        self.stack = programs.Stack(layout, load_or_make(layout), taken, *addresses)
        self._templates: set[str] = set()
        self.postgres_settings: tuple[str, ...] = ()
        """More of them, for a PostgreSQL that has not been asked for yet: `shared_buffers=1GB`."""

    @cached_property
    def postgres(self) -> Postgres:
        """PostgreSQL with the services' roles."""
        known = self.stack.secrets
        server = Postgres(
            self.stack.layout.folder / "postgres", port=self.stack.ports["postgres"], password=known.postgres_superuser
        )
        server.more = self.postgres_settings
        server.start()
        databases.provision(server.admin_url, known.postgres_roles)
        return server

    @cached_property
    def kafka(self) -> Kafka:
        """One broker."""
        taken = self.stack.ports
        folder = self.stack.layout.folder / "kafka"
        return Kafka(folder, port=taken["kafka"], controller_port=taken["kafka-controller"]).start()

    def empty_database(self) -> str:
        """The superuser's address of a new database without any table."""
        name = f"b{secrets.token_hex(6)}"
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.postgres.url(name)

    def database(self, service: str) -> "Database":
        """A new database with that service's tables, as its own migrations make them."""
        if service not in self._templates:
            _ = self.postgres
            _migrate(self.stack.database_url(service, "owner"), programs.MODULES[service])
            self._templates.add(service)
        name = f"b{secrets.token_hex(6)}"
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as admin:
            made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
            owner = sql.Identifier(f"{service}_owner")
            admin.execute(made.format(sql.Identifier(name), owner, sql.Identifier(service)))
        app = self.stack.database_url(service, "app").rpartition("/")[0]
        return Database(name, self.postgres.url(name), f"{app}/{name}")

    async def topics(self) -> str:
        """The prefix of a new set of topics, each partition led."""
        prefix = f"b{secrets.token_hex(4)}."
        await create_topics(self.kafka.bootstrap, prefix)
        partitions = [TopicPartition(prefix + t.name, p) for t in TOPICS for p in range(t.partitions)]
        async with connected(AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap)) as asker:
            await asker.end_offsets(partitions)
        return prefix

    def settle(self) -> None:
        """Write out what earlier work left, so that nobody pays for a neighbour."""
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as admin:
            admin.execute("CHECKPOINT")

    def token(self, sub: object, *roles: str) -> str:
        """A token as the identity provider signs it."""
        return sign(self.stack.secrets, roles=list(roles), sub=str(sub))

    @property
    def postgres_clock(self) -> Clock:
        """PostgreSQL's processor time, of all its processes."""
        return postgres(_pid_of(self.postgres))

    @property
    def kafka_clock(self) -> Clock:
        """Kafka's processor time."""
        return process(_pid_of(self.kafka))

    def span(self, *, kafka: bool = False, **clocks: Clock) -> Span:
        """What is done inside costs this process ("client"), the other ``clocks``, PostgreSQL, and Kafka if asked."""
        servers = {"PostgreSQL": self.postgres_clock, **({"Kafka": self.kafka_clock} if kafka else {})}
        return Span({"client": own, **clocks, **servers})

    @asynccontextmanager
    async def service(self, name: str, mode: str, **settings: str) -> AsyncIterator["Service"]:
        """A process of a service on a port of its own, ready."""
        port = free_port(but_not=set(self.stack.ports.values()))
        program = dataclasses.replace(programs.service(self.stack, name, mode), port=port)
        async with self._running(program, "/readyz", {"HTTP_PORT": str(port), **settings}) as pid:
            yield Service(f"http://127.0.0.1:{port}", process(pid))

    @asynccontextmanager
    async def program(self, module: str, **settings: str) -> AsyncIterator["Service"]:
        """A program beside ours, `python -m MODULE PORT`, ready when it answers `/readyz`."""
        port = free_port(but_not=set(self.stack.ports.values()))
        log = self.stack.layout.folder / f"{module}.log"
        command = Command(module, [sys.executable, "-m", module, str(port)], log, stop_seconds=5)
        async with self._running(programs.Program(command, port), "/readyz", settings) as pid:
            yield Service(f"http://127.0.0.1:{port}", process(pid))

    @asynccontextmanager
    async def identity(self) -> AsyncIterator[None]:
        """The identity provider whose keys the services fetch."""
        async with self._running(programs.standin(self.stack, "identity"), "/.well-known/jwks.json", {}):
            yield

    @asynccontextmanager
    async def _running(self, program: programs.Program, probe: str, settings: dict[str, str]) -> AsyncIterator[int]:
        command = dataclasses.replace(program.command, env={**program.command.env, **settings})
        started = spawn(command, die_with_parent=True)
        try:
            deadline = time.monotonic() + _PATIENCE
            while await ask(program.port, probe) != 200:
                if started.poll() is not None or time.monotonic() > deadline:
                    raise Failure(f"{command.name} didn't get ready: {last_lines(command.log)}")
                await asyncio.sleep(0.02)
            yield started.pid
        finally:
            await asyncio.to_thread(stop, started, command)

    def stop(self) -> None:
        """Stop the servers that were started, side by side."""
        started = [self.__dict__.pop(name) for name in ("kafka", "postgres") if name in self.__dict__]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda server: server.stop(), started))


@dataclasses.dataclass(frozen=True)
class Database:
    """One database's addresses: the superuser's fills it, the run-time role's is what services use."""

    name: str
    admin_url: str
    app_url: str


@dataclasses.dataclass(frozen=True)
class Service:
    """A running process of a service: its HTTP address, and the processor time that it has used."""

    url: str
    clock: Clock


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """A temporary folder, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="booking-bench-"))
    path.chmod(0o711)  # PostgreSQL's unprivileged user must pass
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def system() -> Iterator[System]:
    """A system in a folder of its own."""
    with folder_of_its_own() as path:
        made = System(path)
        try:
            yield made
        finally:
            made.stop()


def _pid_of(server: Server) -> int:
    if server.pid is None:
        raise RuntimeError(f"{server.name} doesn't run")
    return server.pid


def _migrate(owner_url: str, module: str) -> None:
    from booking_process.migrations import upgrade

    upgrade(owner_url, f"{module}:migrations")
