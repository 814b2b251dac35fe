"""A small service that uses everything of process and web: notes that their owners read, write and change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import psycopg
from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field

from booking_process.database import Database
from booking_process.service import Service
from booking_process.settings import ServiceSettings
from booking_web.auth import Caller, require
from booking_web.conditions import RequiredPreconditions
from booking_web.consistency import Consistency, stamp
from booking_web.context import RequestContext
from booking_web.idempotency import Idempotency, Written
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import Members, conflict, not_found, problem_responses


class NewNote(BaseModel):
    """What a member writes."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=200)]
    weight: int = 0


class BlankError(Exception):
    """A rule of the sample's domain, which knows nothing of HTTP."""


class Note(BaseModel):
    """A note as its owner sees it."""

    id: UUID
    text: str
    weight: int
    version: int


def router(database: Database) -> APIRouter:
    """The routes of notes."""
    routes = APIRouter(prefix="/v1")

    async def one(conn: psycopg.AsyncConnection, note_id: UUID | None, owner: UUID) -> dict[str, Any]:
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "SELECT id, text, weight, version FROM note WHERE id = %s AND owner = %s", [note_id, owner]
            )
            found = await cursor.fetchone()
        if found is None:
            raise not_found()
        return found

    @routes.post("/notes", status_code=201, responses=problem_responses(409))
    async def write_note(note: NewNote, caller: Caller, once: Idempotency, response: Response) -> Note:
        async def change(conn: psycopg.AsyncConnection) -> Written:
            if note.text == "refused":
                raise conflict("refused_by_rule", "No such note.")
            note_id = uuid4()
            await conn.execute(
                "INSERT INTO note (id, owner, text, weight) VALUES (%s, %s, %s, %s)",
                [note_id, caller.sub, note.text, note.weight],
            )
            return Written(201, note_id, 1)

        answer, _ = await once.once(database, change)
        async with database.autocommit() as conn:
            row = await one(conn, answer.object_id, caller.sub)
        response.status_code = answer.status
        stamp(response, "sample", "note", row["id"], row["version"])
        return Note(**row)

    @routes.get("/notes", responses=problem_responses())
    async def list_notes(page: Page, caller: Caller) -> PageOf[Note]:
        after = decode_cursor(page.cursor, UUID, of="notes")[0] if page.cursor else UUID(int=0)
        async with database.autocommit() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "SELECT id, text, weight, version FROM note WHERE owner = %s AND id > %s ORDER BY id LIMIT %s",
                [caller.sub, after, page.limit + 1],
            )
            rows = await cursor.fetchall()
        more = len(rows) > page.limit
        items = [Note(**row) for row in rows[: page.limit]]
        return PageOf(**page_of(items, encode_cursor(items[-1].id, of="notes") if more else None))

    @routes.get("/notes/{note_id}", responses=problem_responses(404))
    async def read_note(note_id: UUID, caller: Caller, wish: Consistency, response: Response) -> Note:
        await wish.visible(database, "sample", {"checkout:transaction": "checkout.transactions"})
        async with database.autocommit() as conn:
            row = await one(conn, note_id, caller.sub)
        stamp(response, "sample", "note", row["id"], row["version"])
        return Note(**row)

    @routes.put("/notes/{note_id}", responses=problem_responses(404, 412, 428))
    async def change_note(note_id: UUID, note: NewNote, caller: Caller, expected: RequiredPreconditions) -> Note:
        async with database.transaction() as conn:
            row = await one(conn, note_id, caller.sub)
            expected.check(row["version"])
            await conn.execute("UPDATE note SET text = %s, version = version + 1 WHERE id = %s", [note.text, note_id])
            return Note(**row | {"text": note.text, "version": row["version"] + 1})

    @routes.delete("/notes", status_code=204, dependencies=[Depends(require("admin"))])
    async def delete_notes() -> None:
        async with database.autocommit() as conn:
            await conn.execute("DELETE FROM note")

    return routes


async def blank() -> None:
    """Refuses by the domain's rule."""
    raise BlankError


def oddities(database: Database) -> APIRouter:
    """Routes for what a well-behaved service does not do, and streams."""
    routes = APIRouter(prefix="/v1")
    routes.add_api_route("/blank", blank)

    @routes.get("/boom")
    async def boom() -> None:
        raise RuntimeError("postgresql://u:hunter2@h/d canary")

    @routes.get("/slow")
    async def slow(seconds: float, database_sleeps: bool = True) -> dict[str, str]:
        if database_sleeps:
            async with database.autocommit() as conn:
                await conn.execute("SELECT pg_sleep(%s)", [seconds])
        else:
            await asyncio.sleep(seconds)
        return {"slept": str(seconds)}

    @routes.get("/raw/{text}")
    async def raw(text: str) -> dict[str, str]:
        async with database.autocommit() as conn:
            await conn.execute("SELECT %s::text", [text])
        return {"text": text}

    @routes.post("/raw")
    async def raw_body(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @routes.get("/overflow")
    async def overflow(number: int) -> None:
        async with database.autocommit() as conn:
            await conn.execute("SELECT %s::int", [number])

    @routes.get("/context")
    async def context(ctx: RequestContext) -> dict[str, str | None]:
        return {"request": ctx.request_id, "correlation": ctx.correlation_id, "traceparent": ctx.traceparent}

    @routes.get("/stream", response_class=EventSourceResponse)
    async def stream(request: Request) -> AsyncIterator[ServerSentEvent]:
        stopping: asyncio.Event = request.app.state.health.stopping
        number = 0
        while not stopping.is_set():
            yield ServerSentEvent(data={"number": number})
            number += 1
            with_timeout = asyncio.wait_for(stopping.wait(), 0.05)
            await asyncio.gather(with_timeout, return_exceptions=True)

    return routes


class CurrentText(Members):
    """What the note says now."""

    current_text: str


def build(settings: ServiceSettings) -> Service:
    """The composition root."""
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pool_timeout=settings.database_pool_timeout_seconds,
        statement_timeout=settings.database_statement_timeout_seconds,
        direct_url=settings.database_direct_url,
    )
    return Service(
        name="sample",
        title="Sample",
        settings=settings,
        database=database,
        routers=[router(database), oddities(database)],
        problems={BlankError: lambda _error: conflict("blank", "A note says something.", CurrentText(current_text=""))},
        migrations="shared.web.tests.sample:migrations",
    )
