"""A database with the store's tables and those of the sample aggregate."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from shared.store.tests.sample.session import TABLES
from tests.plugins.servers import Databases, PostgresServer

import booking_outbox
import booking_store
from booking_process.migrations import ddl


@dataclass
class Connections:
    """Opens connections as the run-time role and closes them after the test."""

    databases: Databases
    stack: AsyncExitStack

    async def autocommit(self) -> psycopg.AsyncConnection:
        return await self._open(autocommit=True)

    async def transactional(self) -> psycopg.AsyncConnection:
        return await self._open(autocommit=False)

    async def owner(self) -> psycopg.AsyncConnection:
        conn = await psycopg.AsyncConnection.connect(self.databases.owner_url, autocommit=True)
        return await self.stack.enter_async_context(conn)

    async def _open(self, *, autocommit: bool) -> psycopg.AsyncConnection:
        conn = await psycopg.AsyncConnection.connect(self.databases.app_url, autocommit=autocommit)
        return await self.stack.enter_async_context(conn)


def migrate(databases: Databases) -> None:
    app = urlsplit(databases.app_url).username or ""
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        for text in (
            booking_store.ddl("events_v1"),
            booking_store.ddl("events_v2"),
            booking_outbox.ddl("outbox_v1"),
            booking_outbox.ddl("outbox_v2"),
            ddl("booking_web", "idempotency_v1"),
            TABLES,
        ):
            conn.execute(text.replace("{app}", app).encode())


@pytest.fixture(scope="session")
def store_database(postgres: PostgresServer) -> Callable[[], Databases]:
    return lambda: postgres.clone("sample_store", migrate)


@pytest.fixture
def databases(store_database: Callable[[], Databases]) -> Databases:
    return store_database()


@pytest.fixture
async def connections(databases: Databases) -> AsyncIterator[Connections]:
    async with AsyncExitStack() as stack:
        yield Connections(databases, stack)


@pytest.fixture
async def conn(connections: Connections) -> psycopg.AsyncConnection:
    """An autocommit connection, as the services' commands use."""
    return await connections.autocommit()
