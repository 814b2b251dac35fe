"""Connections to an empty database, in whatever event loop a test runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from booking_postgres import Connection


@pytest.fixture(scope="module")
def url(postgres) -> Iterator[str]:
    databases = postgres.create_database()
    yield databases.app_url
    postgres.drop_database(databases)


class Connections:
    """Opens connections and closes them after the test."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack

    async def autocommit(self) -> Connection:
        return await self._stack.enter_async_context(await Connection.connect(self._url, autocommit=True))


@pytest.fixture
async def connections(url: str) -> AsyncIterator[Connections]:
    async with AsyncExitStack() as stack:
        yield Connections(url, stack)


@pytest.fixture
async def conn(connections: Connections) -> Connection:
    return await connections.autocommit()


async def until(holds: Callable[[], bool]) -> None:
    """Turns the event loop until something holds, for at most twenty seconds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0)
