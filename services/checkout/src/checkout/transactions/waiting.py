"""Waiting until a Transaction is paid, or never will be: what `?wait_for=paid` does.

Members pay at the provider, whose notification comes to any process; so each process that is waited in looks at all
that its callers wait for by one short statement, four times a second, and at nothing while nobody waits. Who waits
holds no connection of the database meanwhile, and keeps no process from stopping.
"""

import asyncio
from contextvars import Context
from uuid import UUID

import psycopg
from fastapi import Request

from booking_process.database import Database, DatabaseDownError, request_deadline
from booking_web.context import closing

LONGEST = 30
"""Seconds of one wait."""
LOOK_EVERY = 0.25  # seconds
_SETTLED = "SELECT id FROM transaction WHERE id = ANY(%s) AND status <> 'awaiting_payment'"


class Waiting:
    """The callers of this process who wait, by Transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def settled(self, transaction_id: UUID, seconds: float, request: Request) -> None:
        """Return when it awaits payment no more, after so many seconds, when the caller went away, or at a stop."""
        told, began = asyncio.Event(), asyncio.get_running_loop().time()
        self._waiting.setdefault(transaction_id, set()).add(told)
        if self._looking is None or self._looking.done():
            # In a context of its own: it serves later requests too, and outlives this one's deadline.
            self._looking = asyncio.create_task(self._look(), name="waiting for payments", context=Context())
        ends = [asyncio.ensure_future(one) for one in (told.wait(), closing.get().wait(), _gone(request))]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in ends:
                one.cancel()
            self._forget(transaction_id, told)
            request_deadline.get().put_off(asyncio.get_running_loop().time() - began)

    def _forget(self, transaction_id: UUID, told: asyncio.Event) -> None:
        others = self._waiting[transaction_id]
        others.discard(told)
        if not others:
            del self._waiting[transaction_id]

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_EVERY)
            try:
                async with self._database.autocommit() as conn:
                    found = await (await conn.execute(_SETTLED, [list(self._waiting)])).fetchall()
            except (DatabaseDownError, psycopg.Error):
                continue  # whoever waits reads it once more at the end, and is told then
            for (transaction_id,) in found:
                for told in self._waiting.get(transaction_id, ()):
                    told.set()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
