"""Connections of the rigs to a database that may go away at any moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg


@asynccontextmanager
async def opened(url: str, *, connect_timeout: int = 3, **options: Any) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection, in autocommit, that is closed however the block ends. psycopg's own block leaves it open when it is
    cancelled while it commits or rolls back, as a deadline does."""
    connection = await psycopg.AsyncConnection.connect(url, connect_timeout=connect_timeout, autocommit=True, **options)
    try:
        yield connection
    finally:
        await connection.close()
