"""Deletes idempotency rows after their 7 days."""

import asyncio
import time
from contextlib import suppress

import psycopg

from booking_chassis.database import Database
from booking_chassis.idempotency import purge
from booking_outbox.progress import Progress

_EVERY_SECONDS = 3600.0


class IdempotencyPurge:
    """A worker that looks every hour; does nothing in a service without the table."""

    name = "idempotency-purge"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)
                return
            await self._all()

    async def _all(self) -> None:
        with suppress(psycopg.errors.UndefinedTable):
            async with self._database.autocommit() as connection:
                while await purge(connection):
                    pass

    def progress(self) -> Progress:
        """Never behind: nothing waits for it."""
        return Progress(backlog=0, moved_at=time.monotonic())
