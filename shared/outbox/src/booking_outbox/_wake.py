"""Waking the relay after a commit: in this process by an event, elsewhere by NOTIFY on a connection of its own.

Never NOTIFY inside a write: it takes a lock over all commits of the database. A lost wake-up costs latency only, the
relay polls.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import psycopg

from booking_outbox._lead import connect
from booking_outbox._worker import crash_point

_APART = 0.003
"""Seconds: the first poke is told at once, those that follow close behind together. Each told costs a twentieth of a
command."""


class Waker:
    """`poke` it after each commit that wrote marks; many pokes become one NOTIFY."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._local: list[Callable[[], bool]] = []

    def attach(self, wake: Callable[[], bool]) -> None:
        """A relay of this process: ``wake()`` says whether it leads, in which case nobody else need be told."""
        self._local.append(wake)

    def poke(self) -> None:
        """Marks were committed. Cheap, never waits, never fails."""
        crash_point("append.after_commit")
        leading = [wake() for wake in self._local]
        if not any(leading):
            self._poked.set()

    async def start(self) -> None:
        """Begin to send notifications; without it only relays of this process are woken."""
        self._task = asyncio.create_task(self._run(), name="waker")

    async def close(self) -> None:
        """Stop; a pending poke may be lost, the relay polls."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._poked.wait()
            try:
                async with await connect(self._url, "waker") as conn:
                    await self._notify(conn)
            except (psycopg.Error, OSError):
                await asyncio.sleep(1)

    async def _notify(self, conn: psycopg.AsyncConnection[Any]) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()  # before the NOTIFY: what is poked while it is under way needs another
            await conn.execute("NOTIFY outbox")
            await asyncio.sleep(_APART)


async def listen(database_url: str, wake: Callable[[], object]) -> None:
    """Call ``wake`` for every notification, until cancelled; reconnects, and wakes after that too."""
    while True:
        try:
            async with await connect(database_url, "relay-listen") as conn:
                await conn.execute("LISTEN outbox")
                wake()
                async for _ in conn.notifies():
                    wake()
        except (psycopg.Error, OSError):
            pass
        await asyncio.sleep(1)
