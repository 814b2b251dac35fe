"""`/v1/calendar/stream`: the own calendar's changes as they happen, as server-sent events.

A change goes from the process that merged it to every process that serves streams by NOTIFY, after the commit, on a
connection of its own (inside a write it would serialise all commits). A lost one costs an update on the screen, never
data: a stream that reconnects reads its calendar again.
"""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from booking_process.database import Database, DatabaseDownError
from booking_web.auth import Principal, require
from booking_web.languages import AcceptedLanguage, Language, language_for
from booking_web.problems import problem_responses
from calendar_projector.calendar import reads
from calendar_projector.calendar.http import calendar_event
from calendar_projector.people import PEOPLE, language_chosen, person_erased
from calendar_projector.projection.slot import Merged

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


Person = Annotated[Principal, Depends(require("member", "practitioner", "admin"))]

_AN_EVENT = 'event: removed\ndata: {"id": "0198d2a0-1111-7000-8000-000000000001"}\n\n'
_RETRY_MS = 2000
_REFRESH = ServerSentEvent(event="refresh", data={})


def stream_router(database: Database, hub: Hub) -> APIRouter:
    """Events `ready` (once), `change` (an entry of the calendar), `removed` (`{id}`), `refresh` (read all again)."""
    router = APIRouter(prefix="/v1/calendar", tags=["calendar"], responses=problem_responses(401, 403, 429, 503))

    async def present(caller: Person) -> None:
        """Before the answer begins: 403 for who was erased."""
        async with database.autocommit() as conn:
            if await PEOPLE.is_erased(conn, caller.sub):
                raise person_erased()

    @router.get(
        "/stream",
        dependencies=[Depends(present)],
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {"example": _AN_EVENT}}}}
        | problem_responses(person_erased()),
    )
    async def stream_calendar_changes(
        request: Request,
        caller: Person,
        wish: AcceptedLanguage,
    ) -> AsyncIterable[ServerSentEvent]:
        """The caller's own changes, as long as the token is valid. Nothing is kept for who is away: after `ready` read
        the calendar once."""
        stopping: asyncio.Event = request.app.state.health.stopping
        async with hub.changes_of(str(caller.sub)) as queue:
            yield ServerSentEvent(event="ready", data={}, retry=_RETRY_MS)
            while (session := await _next(queue, stopping, caller.expires_at)) is not None:
                yield await _event(database, caller, session, wish)

    return router


async def _next(queue: "asyncio.Queue[str]", stopping: asyncio.Event, until: float) -> str | None:
    """The next change; None as soon as the process is told to stop, which an open stream must not hold, or the token
    has expired (`until`, Unix seconds)."""
    change, stop = asyncio.ensure_future(queue.get()), asyncio.ensure_future(stopping.wait())
    left = None if until == math.inf else max(0.0, until - time.time())
    try:
        done, _ = await asyncio.wait({change, stop}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return change.result() if change in done else None
    finally:
        change.cancel()
        stop.cancel()


async def _event(database: Database, caller: Principal, session: str, wish: Language | None) -> ServerSentEvent:
    if session == EVERYBODY:
        return _REFRESH
    try:
        async with database.autocommit() as conn:
            found = await reads.by_ids(conn, [UUID(session)])
            # Looked up with each change: a stream lives long, and what was chosen since holds (N2).
            chosen = await language_chosen(conn, caller.sub)
    except DatabaseDownError:
        return _REFRESH
    # A session that went to another practitioner is theirs no more: they learn that it left, nothing else (E1).
    mine = [entry for entry in found if caller.sub in {entry.practitioner_id, entry.user_id} and entry.starts_at]
    if not mine:
        return ServerSentEvent(event="removed", data={"id": session})
    language = language_for(chosen, caller.locale, wish)
    return ServerSentEvent(event="change", data=calendar_event(mine[0], language).model_dump(mode="json"))
