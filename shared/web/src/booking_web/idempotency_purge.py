"""Deletes idempotency rows after their 7 days."""

import asyncio
import time
from contextlib import suppress

import psycopg

from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError
from booking_web.idempotency import purge

_EVERY_SECONDS, _AGAIN_SECONDS = 3600.0, 30.0


class IdempotencyPurge:
    """A worker that looks at once and then every hour; does nothing in a service without the table."""

    name = "idempotency-purge"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            # First: a process that is started anew within each hour would else never purge.
            pause = _EVERY_SECONDS if await self._all() else _AGAIN_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _all(self) -> bool:
        """Whether all that is old is gone; not while the database is away."""
        with suppress(psycopg.errors.UndefinedTable):
            try:
                async with self._database.autocommit() as connection:
                    while await purge(connection):
                        pass
            except DatabaseDownError:
                return False
        return True

    def progress(self) -> Progress:
        """Never behind: nothing waits for it."""
        return Progress(backlog=0, moved_at=time.monotonic())
