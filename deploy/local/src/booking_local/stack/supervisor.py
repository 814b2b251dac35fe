"""The supervisor of one stack. `python -m booking_local.stack.supervisor DIR [--port-base N] [--split] [...]`

It holds the folder's lock as long as it lives, so there is one at most. Everything starts at once; what needs a server
waits for that server. A process that dies is started again. SIGTERM or SIGINT stops all of it: services first, so that
they finish what is in hand, then stand-ins, then the servers. Killed itself with -9, the next one ends what it left.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from booking_contracts.brokers import Brokers
from booking_local.failure import DISK_FULL, Failure, first_cause
from booking_local.layout import Layout, replace_private
from booking_local.servers import ports, process
from booking_local.servers.kafka import Kafka
from booking_local.servers.postgres import TERMINATOR, Postgres, takes_tls
from booking_local.servers.process import Command
from booking_local.stack import databases, programs, secrets
from booking_local.stack.child import Child
from booking_local.stack.control import Progress
from booking_local.stack.external import from_environment
from booking_local.stack.forkserver import ForkServer, reap_strangers

_START_SECONDS = 120.0
_LOCK_SECONDS = 1.0
_SERVERS = ("postgres", TERMINATOR, "kafka")
Ready = Callable[[], Awaitable[bool]]
Result = TypeVar("Result")


class Supervisor:
    """Starts, watches and stops everything of one state folder."""

    def __init__(
        self,
        layout: Layout,
        progress: Progress,
        *,
        port_base: int | None,
        modes: tuple[str, ...],
        secure: bool = False,
        observe: bool = False,
    ) -> None:
        self.layout = layout
        self.progress = progress
        self._external = from_environment()
        chosen = ports.choose(layout, port_base)
        kafka = self._external.kafka or f"127.0.0.1:{chosen['kafka']}"
        made = secrets.load_or_make(layout, issuer=f"http://127.0.0.1:{chosen['identity']}")
        if secure:
            self._external.check_secured()
        kafka_ports = {"port": chosen["kafka"], "controller_port": chosen["kafka-controller"]}
        self._kafka = Kafka(layout.folder / "kafka", **kafka_ports, admin_port=chosen["kafka-admin"], secured=secure)
        self._kafka.log = layout.log_of("kafka")
        self._kafka.more = layout.kafka_properties
        administrator, ca = (self._kafka.admin, self._kafka.certificates.ca) if secure else (None, None)
        self._postgres = Postgres(
            layout.folder / "postgres",
            port=chosen["postgres"],
            password=made.postgres_superuser,
            certificates=self._kafka.certificates if secure else None,
        )
        self._postgres.log = layout.log_of("postgres")
        postgres = self._external.postgres or self._postgres.address
        self.stack = programs.Stack(layout, made, chosen, postgres, kafka, ca, administrator)
        self._modes = modes
        self._observe = observe
        self._forks = ForkServer()
        self._children: list[Child] = []
        self._health_ports: dict[str, int] = {}
        self._stop = asyncio.Event()

    async def run(self, *, watch_stdin: bool = False) -> None:
        """Up, watched, and down again when told: by a signal, or by the end of the standard input."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        if watch_stdin:
            loop.add_reader(0, lambda: os.read(0, 64) or (loop.remove_reader(0), self._stop.set()))
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._forks.close()
                self._phase("ready")
                syncing = asyncio.create_task(asyncio.to_thread(self._postgres.sync_new_files))
                watching = asyncio.create_task(self._watch_health())
                await self._stop.wait()
                watching.cancel()
                await syncing
            else:
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await starting
        finally:
            stopping.cancel()
            await self._stop_all()

    def say(self, sentence: str) -> None:
        """One line in the supervisor's log, which may be on a full disk: that must keep nothing from being stopped."""
        with contextlib.suppress(OSError):
            print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {sentence}", flush=True)

    async def _start(self) -> None:
        await asyncio.to_thread(self._external.check)
        more = ["alembic.command", "booking_process.migrations"] if databases.stale(self.layout) else []
        self._forks.open(self.layout.log_of("supervisor"), more, programs.mark_of(self.layout))
        async with asyncio.TaskGroup() as together:
            postgres = together.create_task(self._start_postgres())
            kafka = together.create_task(self._start_kafka())
            for name in programs.STANDINS:
                together.create_task(self._start_program(partial(programs.standin, self.stack, name)))
            let_in = together.create_task(self._create_topics(kafka))
            if self._modes:
                together.create_task(self._start_services(postgres, let_in))
                together.create_task(self._start_gateway(let_in))
        if self._observe:  # last: what isn't up yet would be an alarm
            await self._start_program(partial(programs.observe, self.stack, self._modes))

    async def _start_postgres(self) -> None:
        external, passwords = self._external.postgres_url, self.stack.secrets.postgres_roles
        if external is None:
            server = self._postgres
            if server.certificates is not None:
                await self._start_terminator(server)
            child = Child("postgres", server.command, self.say, self._write_endpoints, _in_thread(server.prepare))
            await self._start_child(child, _in_thread(server.is_ready), "PostgreSQL")
        admin_url = external or self._postgres.admin_url
        await asyncio.to_thread(databases.provision, admin_url, passwords, shared=external is not None)
        self.progress.step(self.layout, "PostgreSQL")

    async def _start_terminator(self, server: Postgres) -> None:
        def command() -> Command:
            return dataclasses.replace(server.terminator(), env=programs.mark_of(self.layout))

        child = Child(TERMINATOR, command, self.say, self._write_endpoints)
        await self._start_child(child, _in_thread(partial(takes_tls, server.port)), "PostgreSQL's TLS")

    async def _start_kafka(self) -> None:
        if self._external.kafka is None:
            server, mark = self._kafka, programs.mark_of(self.layout)

            def command() -> Command:
                return dataclasses.replace(server.command(), env=mark)

            child = Child("kafka", command, self.say, self._write_endpoints, _in_thread(server.prepare))
            await self._start_child(child, _in_thread(server.is_ready), "Kafka")
        self.progress.step(self.layout, "Kafka")

    async def _create_topics(self, kafka: asyncio.Task[None]) -> None:
        from booking_contracts.admin import create_topics  # imported while Kafka starts

        await kafka
        administrator = self.stack.administrator
        if administrator is None:
            await create_topics(self.stack.kafka)
        else:
            await asyncio.gather(create_topics(administrator), let_in(administrator, self.stack.secrets.kafka_users))
        self.progress.step(self.layout, "topics")

    async def _start_gateway(self, let_in: asyncio.Task[None]) -> None:
        if self.stack.administrator is not None:
            await let_in
        await self._start_program(partial(programs.gateway, self.stack))

    async def _start_services(self, postgres: asyncio.Task[None], let_in: asyncio.Task[None]) -> None:
        await postgres
        unknown = self._external.postgres_url is not None
        migrated = await databases.migrate(self.stack, self._forks.launch, unknown=unknown)
        self.progress.step(self.layout, f"migrations ({', '.join(migrated) or 'none new'})")
        if self.stack.administrator is not None:
            await let_in  # who is refused tries again, but not at once
        async with asyncio.TaskGroup() as together:
            for name in secrets.DATABASES:
                for mode in self._modes:
                    together.create_task(self._start_program(partial(programs.service, self.stack, name, mode)))

    async def _start_program(self, program: Callable[[], programs.Program]) -> None:
        first = program()
        name = first.command.name
        self._health_ports[name] = first.port
        child = Child(name, lambda: program().command, self.say, self._write_endpoints, launch=self._forks.launch)

        async def ready() -> bool:
            return await programs.ask(first.port, "/readyz") == 200

        await self._start_child(child, ready, name)
        self.progress.step(self.layout, name)

    async def _start_child(self, child: Child, ready: Ready, what: str) -> None:
        self._children.append(child)
        await child.start()
        log, deadline = self.layout.log_of(child.name), time.monotonic() + _START_SECONDS
        while not await ready():
            reason = child.died_early()
            if reason is not None:
                raise Failure(f"{what} doesn't start: {reason or 'it says nothing'} (all of it: {log})")
            if time.monotonic() > deadline:
                raise Failure(f"{what} isn't ready after {_START_SECONDS:.0f} s; see {log}")
            await asyncio.sleep(0.03)

    async def _watch_health(self) -> None:
        """One that says for 60 s that it isn't alive, or says nothing for 120 s, is killed and so started again."""
        ill_since: dict[str, float] = {}
        while True:
            await asyncio.sleep(5)
            reap_strangers({child.process.pid for child in self._children if child.process is not None})
            for child in self._children:
                port = self._health_ports.get(child.name)
                if port is None or child.pid is None:
                    continue
                status = await programs.ask(port, "/healthz", seconds=4)
                if status == 200:
                    ill_since.pop(child.name, None)
                    continue
                since = ill_since.setdefault(child.name, time.monotonic())
                if time.monotonic() - since > (60 if status is not None else 120):
                    self.say(f"{child.name} makes no progress (GET /healthz: {status}); killing it")
                    child.kill()
                    ill_since.pop(child.name)

    async def _stop_all(self) -> None:
        self._forks.close()
        with contextlib.suppress(OSError):  # a full disk keeps nothing from being stopped
            self._phase("stopping" if self.progress.phase != "failed" else "failed")
        servers = [child for child in self._children if child.name in _SERVERS]
        stand_ins = [child for child in self._children if child.name in programs.STANDINS]
        services = [child for child in self._children if child not in servers and child not in stand_ins]
        for group in (services, stand_ins, servers):
            for broken in await asyncio.gather(*(child.stop() for child in group), return_exceptions=True):
                if broken is not None:
                    self.say(f"stopping failed: {type(broken).__name__}: {broken}")
        self.layout.endpoints.unlink(missing_ok=True)
        self.layout.processes.unlink(missing_ok=True)
        self.say("everything is stopped")

    def _phase(self, phase: str, message: str = "") -> None:
        self.progress.phase = phase
        self.progress.message = message or self.progress.message
        self.progress.write(self.layout)
        self.say(f"{phase} {message}".strip())

    def _write_endpoints(self) -> None:
        """After every start and death, so that the file tells the truth at each moment."""
        running = {child.name: child.pid for child in self._children if child.pid is not None}
        process.write_down(self.layout, {**running, "supervisor": os.getpid()})
        content = programs.endpoints(self.stack, running, [child.name for child in self._children])
        replace_private(self.layout.endpoints, json.dumps(content, indent=1))


async def let_in(administrator: Brokers, users: dict[str, str]) -> None:
    """The catalogue's permissions and no others at a secured broker, and a password for each of its principals."""
    from booking_contracts.acls import acl_drift, change_acls, scram_users, set_password

    drift = await acl_drift(administrator)
    await change_acls(administrator, add=drift.missing, remove=drift.extra)
    there = await scram_users(administrator)
    missing = users.keys() - there.keys()
    await asyncio.gather(*(set_password(administrator, name, users[name]) for name in missing))


def _in_thread(blocking: Callable[[], Result]) -> Callable[[], Awaitable[Result]]:
    return partial(asyncio.to_thread, blocking)


def main(arguments: list[str] | None = None) -> int:
    """Runs one supervisor; 1 and a sentence in progress.json when the stack can't be started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port-base", type=int)
    parser.add_argument("--split", action="store_true")
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--observe", action="store_true")
    parser.add_argument("--without-services", action="store_true")
    parser.add_argument("--until-stdin-ends", action="store_true")
    options = parser.parse_args(arguments)
    layout = Layout(options.folder)
    modes = () if options.without_services else ("api", "worker") if options.split else ("all",)
    layout.make()
    lock = _hold(layout)
    if lock is None:
        return 2
    progress = Progress()
    progress.write(layout)
    try:
        process.end(process.leftovers(layout), seconds=10)
        supervisor = Supervisor(
            layout,
            progress,
            port_base=options.port_base,
            modes=modes,
            secure=options.secure,
            observe=options.observe,
        )
        asyncio.run(supervisor.run(watch_stdin=options.until_stdin_ends))
    except BaseException as broken:  # noqa: BLE001  (whatever it is: `booking up` waits for a sentence)
        progress.phase, progress.message = "failed", failed_start(broken, layout)
        with contextlib.suppress(OSError):
            progress.write(layout)
        with contextlib.suppress(OSError):
            print(progress.message, flush=True)
        # Whatever the failure kept us from stopping, or from even hearing of: a failed start leaves no process.
        process.end(process.leftovers(layout), seconds=10)
        return 1
    layout.progress.unlink(missing_ok=True)
    return 0


def failed_start(broken: BaseException, layout: Layout) -> str:
    """What went wrong, for a person: the first cause of a group, a full disk by name."""
    broken = first_cause(broken)
    full = isinstance(broken, OSError) and broken.errno in (errno.ENOSPC, errno.EDQUOT)
    full = full or getattr(broken, "sqlstate", None) == "53100"  # PostgreSQL's DiskFull, which has several wordings
    if full or process.NO_SPACE in str(broken):  # PostgreSQL and Kafka say it in their own words
        return DISK_FULL.format(folder=layout.folder)
    if isinstance(broken, Failure):
        return str(broken)
    return f"{type(broken).__name__}: {broken} (see {layout.log_of('supervisor')})"


def _hold(layout: Layout) -> IO[str] | None:
    """The folder's lock, or None when another supervisor has it. It ends with the process, however that ends."""
    lock = layout.lock.open("a+")
    patience = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:  # for an instant also while somebody looks whether a supervisor holds it
            if time.monotonic() > patience:
                return None
            time.sleep(0.01)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


if __name__ == "__main__":
    sys.exit(main())
