"""Faults of several processes at once: SIGTERM storms (F29), and two relays of which the leader is frozen (F24)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx2
import psycopg
from tests.chaos.faults import SERVICES, spared
from tests.chaos.history import Recorder
from tests.chaos.stack import Stack
from tests.rigs.databases import opened

from booking_local.servers.ports import free_port
from booking_local.stack.programs import MODULES
from booking_outbox._lead import IDLE_SESSION_SECONDS, lock_key

STORM_SECONDS = 4.0
FROZEN_SECONDS = IDLE_SESSION_SECONDS + 5.0
"""Past the moment when PostgreSQL ends the frozen leader's session and gives the lock to the other."""
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ERRORS = (psycopg.Error, httpx2.HTTPError, OSError, TimeoutError, ValueError)
_LEADERS = """
SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND d.datname = %s
  AND l.classid = ((%s::bigint >> 32) & 4294967295)::oid AND l.objid = (%s::bigint & 4294967295)::oid
ORDER BY l.pid
"""
_LOCKS = {"checkout": "checkout-relay", "consultation": "consultation", "notifier": "notifier-relay"}
"""Each relay's lock, by its name: other session locks of the same database are nobody's lead."""
_RELAYS = tuple(_LOCKS)


Together = tuple[float, str, str, int]
"""When, what, to whom, with which seed."""


def crowd_plan(seed: int, seconds: float) -> list[Together]:
    """When, what, to whom, with which seed: a storm and two relays in turn, also in a short run; of the seed alone."""
    chance = random.Random(f"crowd {seed}")
    found: list[Together] = []
    at = min(6.0, seconds / 4)
    while at < seconds:
        if spared(at, seconds):
            at += 10.0
            continue
        kind = ("rival", "storm")[len(found) % 2]
        found.append((round(at, 2), kind, chance.choice(_RELAYS) if kind == "rival" else "", chance.randrange(2**31)))
        at += chance.uniform(25.0, 45.0) if kind == "rival" else chance.uniform(60.0, 120.0)
    return found


class Crowd:
    """Does the plan beside the other faults. `done` and `missed` count by kind."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self._stack, self._recorder = stack, recorder
        self.done: dict[str, int] = {}
        self.missed: dict[str, int] = {}

    async def run(self, faults: Sequence[Together], began: float) -> None:
        """Every fault at its time or, if the one before lasts, after it; ends whatever it started."""
        for at, kind, target, seed in faults:
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            try:
                done = await (self._storm(seed) if kind == "storm" else self._rival(target))
            except _ERRORS as error:
                self._note(self.missed, "fault_missed", kind, target=target, error=type(error).__name__)
                continue
            if done:
                self._note(self.done, "fault", kind, target=target)
            else:
                self._note(self.missed, "fault_missed", kind, target=target, error="not led by the other")

    async def _storm(self, seed: int) -> bool:
        """Three SIGTERMs for each service on average, the second often while the first is being obeyed."""
        chance = random.Random(seed)
        sent = 0
        for _ in range(3 * len(SERVICES)):
            service = chance.choice(SERVICES)
            for name in [name for name in self._stack.processes() if name.startswith(f"{service}-")]:
                sent += self._stack.kill(name, signal.SIGTERM)
            await asyncio.sleep(chance.uniform(0.0, 2 * STORM_SECONDS / (3 * len(SERVICES))))
        return sent > 0

    async def _rival(self, service: str) -> bool:
        """A second worker; the first one frozen past the take-over, woken, and the second one asked to end.

        True when the relay's lock really went to another session meanwhile: else the fault proved nothing.
        """
        name, first = self._worker(service)
        self._stack.crashes[name] = self._stack.crashes.get(name, 0) + 1  # a frozen notifier may tell twice (I11)
        rival = self._start(service, first)
        try:
            await self._ready(rival[1])
            before = await self._leaders(service)
            os.kill(first, signal.SIGSTOP)
            try:
                await asyncio.sleep(FROZEN_SECONDS)
                after = await self._leaders(service)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(first, signal.SIGCONT)
            self._recorder.note("rival", service=service, before=before, after=after)
            return bool(after) and before != after
        finally:
            await _end(rival[0])

    def _worker(self, service: str) -> tuple[str, int]:
        running = self._stack.processes()
        for mode in ("worker", "all"):
            if pid := running.get(f"{service}-{mode}"):
                return f"{service}-{mode}", pid
        raise ProcessLookupError(service)

    def _start(self, service: str, like: int) -> tuple[subprocess.Popen[bytes], int]:
        """The same settings as the running one's, whose environment they are; another port."""
        pairs = Path(f"/proc/{like}/environ").read_bytes().split(b"\0")
        settings = dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)
        port = free_port(but_not=set())
        words = [sys.executable, "-m", MODULES[service], "worker"]
        with (self._stack.folder / "logs" / f"{service}-rival.log").open("ab") as log:
            started = subprocess.Popen(
                words, env={**settings, "HTTP_PORT": str(port)}, cwd=self._stack.folder, stdout=log, stderr=log
            )
        return started, port

    async def _ready(self, port: int) -> None:
        async with asyncio.timeout(_READY_SECONDS), httpx2.AsyncClient(timeout=3.0, trust_env=False) as http:
            while True:
                with suppress(httpx2.HTTPError):
                    if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.3)

    async def _leaders(self, service: str) -> list[int]:
        async with opened(self._stack.admin_url) as conn:
            key = lock_key(_LOCKS[service])
            return [row[0] for row in await (await conn.execute(_LEADERS, [service, key, key])).fetchall()]

    def _note(self, counts: dict[str, int], what: str, kind: str, **more: object) -> None:
        counts[kind] = counts.get(kind, 0) + 1
        self._recorder.note(what, kind=kind, **more)


async def _end(process: subprocess.Popen[bytes]) -> None:
    """Asked, then killed."""
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, _STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)
