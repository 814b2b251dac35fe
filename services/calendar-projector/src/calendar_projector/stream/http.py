"""`/v1/stream`: changes as they happen, as server-sent events; and `/v1/stream-tickets`, which open it in a page."""

import asyncio
import math
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security
from fastapi.security import APIKeyQuery
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from booking_process.database import Database
from booking_web.auth import Principal, RoleRequired, admit, require
from booking_web.idempotency import Idempotency, Written
from booking_web.instants import InstantOut
from booking_web.problems import problem_responses
from calendar_projector.people import PEOPLE, person_erased
from calendar_projector.stream.hub import Hub, OpenStream
from calendar_projector.stream.items import StreamItem, examples
from calendar_projector.stream.log import Reader
from calendar_projector.stream.tickets import EXPIRED, INVALID, LIFETIME, USED, Ticket, Tickets

ROLES = ("member", "practitioner", "admin")
Person = Annotated[Principal, Depends(require(*ROLES))]
_RETRY_MS = 2000
_REFRESH = '{"type":"refresh"}'
_PLACE = r"^[0-9]{1,18}$"


class StreamTicket(BaseModel):
    """Opens the stream once, with the rights of the token that it was made with."""

    ticket: str = Field(examples=["st_AZjSoFVVcACAAAAAAAAABbM0pYYzlwVEtqWlhGd1h0ZXhhbXBsZWV4YW1wbGVleGFt"])
    expires_at: InstantOut = Field(description=f"{LIFETIME.seconds} seconds after it was made.")


@dataclass(frozen=True, slots=True)
class TicketOrToken(RoleRequired):
    """The caller by their ticket where no token is sent, which uses it up; else as `require` does it."""

    database: Database
    tickets: Tickets

    async def __call__(self, request: Request) -> Principal:
        ticket = request.query_params.get("ticket")
        if ticket is None or "authorization" in request.headers:
            return await RoleRequired.__call__(self, request)

        async def by_ticket() -> Principal:
            async with self.database.autocommit() as conn:
                return await self.tickets.use(conn, ticket)

        return await admit(request, by_ticket)


_TICKET = APIKeyQuery(
    name="ticket",
    scheme_name="stream_ticket",
    auto_error=False,
    description="A ticket of `POST /v1/stream-tickets`, where no header can be sent.",
)
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        pattern=_PLACE,
        description="The `id` of the last item that you have; EventSource sends it by itself.",
    ),
]
After = Annotated[
    str | None,
    Query(pattern=_PLACE, description="The same where no header can be sent; the header goes before it."),
]


def tickets_router(database: Database, tickets: Tickets) -> APIRouter:
    """`/v1/stream-tickets`."""
    router = APIRouter(prefix="/v1", tags=["stream"], responses=problem_responses(401, 403, 429, 503))

    @router.post("/stream-tickets", status_code=201, responses=problem_responses(person_erased()))
    async def create_stream_ticket(caller: Person, idempotency: Idempotency, response: Response) -> StreamTicket:
        """A ticket for `GET /v1/stream?ticket=`, for one use within a minute: what opens the stream where no header
        can be sent, as by a browser's EventSource. It is no token, and no other address takes it."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            await PEOPLE.lock(conn, caller.sub)
            if await PEOPLE.is_erased(conn, caller.sub):
                raise person_erased()
            made = await tickets.make(conn, caller)
            return Written(201, made.id, None)

        written, _ = await idempotency.once(database, change)
        assert written.object_id is not None
        ticket = Ticket(written.object_id)
        response.headers["Location"] = "/v1/stream"
        return StreamTicket(ticket=tickets.text(ticket), expires_at=ticket.expires_at)

    return router


def stream_router(database: Database, hub: Hub, tickets: Tickets) -> APIRouter:
    """`/v1/stream`."""
    router = APIRouter(prefix="/v1", tags=["stream"], responses=problem_responses(401, 403, 429, 503))
    ticket_or_token = TicketOrToken(ROLES, database, tickets)

    async def present(caller: Annotated[Principal, Depends(ticket_or_token)]) -> Principal:
        """Before the answer begins: 403 for who was erased, 503 while nothing would be heard."""
        async with database.autocommit() as conn:
            if await PEOPLE.is_erased(conn, caller.sub):
                raise person_erased()
        await hub.hears()
        return caller

    @router.get(
        "/stream",
        response_class=EventSourceResponse,
        responses={
            200: {
                "model": StreamItem,
                "description": "Server-sent events without end; the `data` of each is an item as this schema says.",
                "content": {"text/event-stream": {"examples": _EXAMPLES}},
            },
            **problem_responses(401, INVALID, EXPIRED, USED, person_erased()),
        },
        dependencies=[Security(_TICKET)],
    )
    async def stream_changes(
        request: Request,
        caller: Annotated[Principal, Depends(present)],
        last_event_id: LastEventId = None,
        after: After = None,
    ) -> AsyncIterable[ServerSentEvent]:
        """What happens to Transactions and sessions: the caller's own, an admin's all; as long as the token is valid
        that was sent or that the ticket was made with. First comes `ready`. With `resumed` true there follows what was
        missed since `Last-Event-ID`, which may be 24 hours; else read what you show, once.
        """
        stopping: asyncio.Event = request.app.state.health.stopping
        since = last_event_id or after
        reader = Reader(caller.sub, caller.has("admin"))
        with hub.open(reader, None if since is None else int(since)) as stream:
            async for event in _events(stream, database, partial(_woken, stream, stopping, caller.expires_at)):
                yield event

    return router


async def _events(
    stream: OpenStream, database: Database, woken: Callable[[], Awaitable[bool]]
) -> AsyncIterator[ServerSentEvent]:
    resuming = stream.behind
    found = await stream.take(database)
    while stream.behind and await woken():
        found = await stream.take(database)
    resumed, stream.refresh = resuming and not stream.refresh, False
    ready = f'{{"type":"ready","resumed":{"true" if resumed else "false"}}}'
    yield ServerSentEvent(raw_data=ready, id=None if found else str(stream.place), retry=_RETRY_MS)
    while True:
        for place, item in found:
            yield ServerSentEvent(raw_data=item, id=str(place))
        if stream.refresh:
            stream.refresh = False
            yield ServerSentEvent(raw_data=_REFRESH, id=str(stream.place))
        if not await woken():
            return
        found = await stream.take(database)


async def _woken(stream: OpenStream, stopping: asyncio.Event, until: float) -> bool:
    """Wait for news; False as soon as the process is told to stop, which an open stream must not hold, or the reader's
    right has ended (`until`, Unix seconds)."""
    news, stop = asyncio.ensure_future(stream.news.wait()), asyncio.ensure_future(stopping.wait())
    left = None if until == math.inf else max(0.0, until - time.time())
    try:
        done, _ = await asyncio.wait({news, stop}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
        stop.cancel()
    stream.news.clear()
    return news in done and stop not in done and not stream.ended


_EXAMPLES = {
    "ready": {"value": {"type": "ready", "resumed": False}},
    **{
        name: {"value": value}
        for name, value in zip(
            ("purchase", "payment", "request", "schedule"),
            examples(
                (
                    "com.booking.checkout.TransactionCreated.v1",
                    "com.booking.checkout.TransactionPaid.v2",
                    "com.booking.consultation.ScheduleRequested.v1",
                    "com.booking.consultation.SessionScheduled.v1",
                )
            ),
            strict=True,
        )
    },
}
