"""The payment page of a Transaction: asked for after the commit, by the request itself and then by a worker (P3)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from booking_contracts.money import Money
from booking_process.database import Database
from booking_store import Connection
from checkout.payments.provider import Backoff, PaymentOrder, Provider, ProviderError


async def ask(database: Database, provider: Provider, transaction_id: UUID) -> str | None:
    """Ask the provider for a page and keep it; None if it gives none now. No connection is held while it thinks."""
    async with database.autocommit() as conn:
        order = await _order(conn, transaction_id)
    if order is None:
        return None
    try:
        url = await provider.create_session(order)
    except ProviderError:
        return None
    async with database.autocommit() as conn:
        # The first page stays: the member may have it open.
        found = await conn.execute(
            "UPDATE payment_session SET redirect_url = coalesce(redirect_url, %s), next_attempt_at = NULL"
            " WHERE transaction_id = %s RETURNING redirect_url",
            [url, transaction_id],
        )
        row = await found.fetchone()
    return row[0] if row else None


async def _order(conn: Connection, transaction_id: UUID) -> PaymentOrder | None:
    found = await conn.execute(
        "SELECT reference, amount, currency, expires_at FROM transaction WHERE id = %s AND status = 'awaiting_payment'",
        [transaction_id],
    )
    row: tuple[str, int, str, datetime] | None = await found.fetchone()
    return PaymentOrder(row[0], Money(row[1], row[2]), row[3]) if row else None


# The claim is the next attempt's time: a crash in between only delays, and no lock is held while the provider thinks.
_CLAIM = """
UPDATE payment_session SET attempts = attempts + 1, next_attempt_at = now() +
    least(%(base)s::float8 * power(2, least(attempts, 20)), %(most)s::float8) * interval '1 second'
WHERE transaction_id = ANY(ARRAY(
    SELECT transaction_id FROM payment_session WHERE next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 10 FOR UPDATE SKIP LOCKED))
RETURNING transaction_id, provider
"""


@dataclass(frozen=True, slots=True)
class Pages:
    database: Database
    providers: Mapping[str, Provider]
    backoff: Backoff

    async def step(self) -> int:
        """Ask for the pages that are due."""
        async with self.database.autocommit() as conn:
            due = await (await conn.execute(_CLAIM, self.backoff.parameters)).fetchall()
        # At once: a provider that keeps each one waiting must not keep them all waiting in a line.
        known = [(self.providers[name], one) for one, name in due if name in self.providers]
        await asyncio.gather(*(ask(self.database, provider, one) for provider, one in known if provider.remote))
        return len(due)
