"""Telling open calendars of a change: from the process that merged it to every process that serves streams.

NOTIFY goes after the commit on a connection of its own (inside a write it would serialise all commits). A lost one
costs an update on the screen, never data: a stream that reconnects reads its calendar again.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

import psycopg

from calendar_projector.projection.merge import Merged

log = logging.getLogger("booking.projector")

CHANNEL = "calendar_changes"
_LONGEST = 7_000
"""Bytes of a payload; PostgreSQL takes 8,000."""
_MANY = 500
"""Sessions at once beyond which everybody is told to read again."""
EVERYBODY = "*"

Change = tuple[str, list[str]]
"""A session's id, and the people whose calendars show it or did."""


class Announcer:
    """Sends what engines have committed; started in worker processes."""

    def __init__(self, database_url: str, wake: Callable[[], None]) -> None:
        self._url, self._wake = database_url, wake
        self._waiting: dict[str, set[str]] = {}
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def committed(self, merged: Merged) -> None:
        """Rows changed: wake the relay, and tell who looks at them. Cheap, never waits."""
        self._wake()
        for session, people in merged.people.items():
            self._waiting.setdefault(session, set()).update(people)
        if len(self._waiting) > _MANY or not merged.people:
            self._waiting = {EVERYBODY: set()}
        self._poked.set()

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="announcer")

    async def close(self) -> None:
        """Stop; what waits is not sent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._poked.wait()
            try:
                async with await _connect(self._url, "calendar-announcer") as conn:
                    while True:
                        await self._poked.wait()
                        self._poked.clear()
                        waiting, self._waiting = self._waiting, {}
                        for payload in payloads(waiting):
                            await conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            except (psycopg.Error, OSError) as error:
                log.info("changes are not announced: %s", type(error).__name__)
                await asyncio.sleep(1)


def payloads(waiting: dict[str, set[str]]) -> list[str]:
    """The changes as few payloads, each within PostgreSQL's limit."""
    texts: list[str] = []
    batch: list[Change] = []
    size = 2
    for session, people in waiting.items():
        change = (session, sorted(people))
        length = len(json.dumps(change)) + 2
        if batch and size + length > _LONGEST:
            texts.append(json.dumps(batch))
            batch, size = [], 2
        batch.append(change)
        size += length
    return [*texts, json.dumps(batch)] if batch else texts


class Hub:
    """Hands changes to the open streams of this process; started in api processes."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._streams: dict[str, set[asyncio.Queue[str]]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def changes_of(self, person: str) -> AsyncGenerator["asyncio.Queue[str]"]:
        """A queue of session ids, or EVERYBODY for "read all again"; bounded: who is too slow reads all again."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=200)
        self._streams.setdefault(person, set()).add(queue)
        try:
            yield queue
        finally:
            self._streams[person].discard(queue)
            if not self._streams[person]:
                del self._streams[person]

    async def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="calendar-hub")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tell(self, payload: str) -> None:
        """Hand one notification's changes to whom they concern."""
        for session, people in json.loads(payload):
            for person in list(self._streams) if session == EVERYBODY else people:
                for queue in self._streams.get(person, ()):
                    _put(queue, session)

    async def _run(self) -> None:
        while True:
            try:
                async with await _connect(self._url, "calendar-hub") as conn:
                    await conn.execute(f"LISTEN {CHANNEL}".encode())
                    self.tell(json.dumps([(EVERYBODY, [])]))  # what happened while nobody listened
                    async for notification in conn.notifies():
                        self.tell(notification.payload)
            except (psycopg.Error, OSError) as error:
                log.info("changes are not heard: %s", type(error).__name__)
            await asyncio.sleep(1)


def _put(queue: "asyncio.Queue[str]", session: str) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        session = EVERYBODY
    queue.put_nowait(session)


async def _connect(url: str, name: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        application_name=name,
        connect_timeout=3,
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=15_000,
    )
