"""A service in this process on a real database: people who call it, records that it takes, and what its tables hold."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid4

import httpx2
import psycopg
from fastapi import FastAPI

from booking_contracts.decode import Record
from booking_inbox import Consumer
from booking_inbox.reading import read
from booking_postgres import Connection
from booking_process.service import Mode, Service
from booking_web.application import create_app
from booking_web.testing import Issuer

S = TypeVar("S", bound="Served")


@dataclass
class Caller:
    """A person with a token."""

    http: httpx2.AsyncClient
    headers: dict[str, str]
    id: UUID

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is None:
            return await self.http.request(method, path, headers=sent)
        # With escapes, for what UTF-8 cannot hold.
        sent = {"Content-Type": "application/json", **sent}
        return await self.http.request(method, path, content=json.dumps(body), headers=sent)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.call("POST", path, body, **headers)

    async def put(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.call("PUT", path, body, **headers)


@dataclass
class Tables:
    """A database, seen past its service."""

    owner_url: str

    async def rows(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        """Straight from the database, as its owner."""
        async with await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True) as conn:
            cursor = await conn.execute(query.encode(), params or None)
            return await cursor.fetchall() if cursor.description is not None else []

    async def types(self, stream_id: Any) -> list[str]:
        """A stream's event types, in order."""
        rows = await self.rows("SELECT type FROM events WHERE stream_id = %s ORDER BY version", str(stream_id))
        return [row[0] for row in rows]


@dataclass
class Served(Tables):
    """The service under test; its consumer is driven by hand."""

    service: Service
    app: FastAPI
    http: httpx2.AsyncClient
    issuer: Issuer

    def caller(self, *roles: str, sub: UUID | None = None, **claims: Any) -> Caller:
        """Somebody with these roles; somebody new unless named by `sub`."""
        sub = sub or uuid4()
        return Caller(self.http, self.issuer.bearer(*roles, sub=sub, **claims), sub)

    @property
    def consumer(self) -> Consumer:
        """The service's first."""
        return next(worker for worker in self.service.workers if isinstance(worker, Consumer))

    async def take(self, *records: Record) -> list[str]:
        """What the consumer does with these records, one transaction each; how each was taken."""
        inbox = self.consumer.inbox
        outcomes: list[str] = []
        for record in records:
            async with self.service.database.transaction() as conn:
                taken = await inbox.receive(conn, read(record, sequenced=inbox.topics[record.topic].sequenced))
            outcomes.append(taken.outcome)
        return outcomes


class RoundTrips:
    """How often the database was asked, until now; a transaction's begin and end count too."""

    count = 0


@contextmanager
def round_trips() -> Generator[RoundTrips]:
    """Count what this task asks the database within the block, so what a request does that it calls in this process."""
    found, wait, task = RoundTrips(), Connection.wait, asyncio.current_task()

    def counted(self: Connection, *arguments: Any, **more: Any) -> Any:
        found.count += asyncio.current_task() is task
        return wait(self, *arguments, **more)

    with patch.object(Connection, "wait", counted):
        yield found


@asynccontextmanager
async def served(
    service: Service,
    *,
    mode: Mode = "api",
    of: Callable[[str, Service, FastAPI, httpx2.AsyncClient, Issuer], S] = Served,
) -> AsyncGenerator[S]:
    """That service, running in this process until the block ends; `of` makes a rig of one's own of it."""
    owner_url = service.settings.database_owner_url
    assert owner_url is not None
    app = create_app(service, mode=mode)
    issuer = Issuer.install(app)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://service", timeout=30) as http,
    ):
        yield of(owner_url, service, app, http, issuer)
