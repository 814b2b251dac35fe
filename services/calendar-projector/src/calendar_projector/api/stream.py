"""`/v1/calendar/stream`: the own calendar's changes as they happen, as server-sent events."""

import asyncio
import math
import time
from collections.abc import AsyncIterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from booking_process.database import Database, DatabaseDownError
from booking_web.auth import Principal, require
from booking_web.languages import AcceptedLanguage, Language, language_for
from booking_web.problems import problem_responses
from calendar_projector.api.models import calendar_event
from calendar_projector.calendar import queries
from calendar_projector.changes import EVERYBODY, Hub
from calendar_projector.people import ERASED, PEOPLE, language_chosen

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
                raise ERASED

    @router.get(
        "/stream",
        dependencies=[Depends(present)],
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {"example": _AN_EVENT}}}} | problem_responses(ERASED),
    )
    async def stream_calendar_changes(  # pyright: ignore[reportUnusedFunction]
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
    waits = [asyncio.ensure_future(queue.get()), asyncio.ensure_future(stopping.wait())]
    left = None if until == math.inf else max(0.0, until - time.time())
    try:
        done, _ = await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return waits[0].result() if waits[0] in done else None  # pyright: ignore[reportReturnType]
    finally:
        for wait in waits:
            wait.cancel()


async def _event(database: Database, caller: Principal, session: str, wish: Language | None) -> ServerSentEvent:
    if session == EVERYBODY:
        return _REFRESH
    try:
        async with database.autocommit() as conn:
            found = await queries.by_ids(conn, [UUID(session)])
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
