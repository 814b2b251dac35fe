"""Fills in what was sold for sales that were told before it was kept: once, from the beginning of their topic.

Events of Transactions are kept for ever, and which product was sold never changes. A consumer that follows the topic
cannot do it: it takes no record twice. Where nothing is missing, as on every fresh deployment, nothing is read.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress

from booking_contracts.decode import Decoded
from booking_contracts.topics import TRANSACTIONS
from booking_contracts.transactions import TransactionCreated
from booking_inbox.log import log_of
from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError

_MISSING = "SELECT EXISTS (SELECT FROM entitlement WHERE product_name IS NULL)"
_FILL = """
UPDATE entitlement e SET product_name = sold.name, duration_minutes = sold.minutes
FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS sold (id, name, minutes)
WHERE e.transaction_id = sold.id AND e.product_name IS NULL
"""
_AGAIN = 1.0  # seconds, while the database is away


class SoldProducts:
    """A worker that has nothing to do once all is filled in."""

    name = "sold-products"

    def __init__(self, database: Database, bootstrap: str, prefix: str) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._prefix = prefix

    def progress(self) -> Progress:
        """Nobody waits for it."""
        return Progress(0, time.monotonic())

    async def run(self, stop: asyncio.Event) -> None:
        """Fill, then idle until `stop`. What Kafka raises starts it again."""
        while not stop.is_set():
            try:
                await self._fill(stop)
                await stop.wait()
            except DatabaseDownError:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _AGAIN)

    async def _fill(self, stop: asyncio.Event) -> None:
        async with self._database.autocommit() as conn:
            if await (await conn.execute(_MISSING)).fetchone() == (False,):
                return
        async with log_of(TRANSACTIONS, self._bootstrap, self._prefix) as log:
            async for batch in log.until_end():
                if stop.is_set():
                    return
                await self._take(batch)

    async def _take(self, batch: Iterable[Decoded]) -> None:
        sold = [item.event for item in batch if isinstance(item.event, TransactionCreated)]
        if not sold:
            return
        columns = [
            [event.transaction_id for event in sold],
            [event.product.name for event in sold],
            [event.product.duration_minutes for event in sold],
        ]
        async with self._database.autocommit() as conn:
            await conn.execute(_FILL, columns)
