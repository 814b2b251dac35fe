"""The payment page of a Transaction: asked for after the commit, by the request itself and then by a worker (P3)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from booking_contracts.money import Money
from booking_process.backoff import doubled_sql
from booking_process.database import Database
from booking_store import Connection
from checkout.payments.provider import Backoff, PaymentOrder, Provider, ProviderError
from checkout.transactions.state import Sale


async def ask(database: Database, provider: Provider, sale: Sale, return_url: str | None) -> str | None:
    """Ask the provider for a page of what was just sold; return the one that is kept, None if it gives none now."""
    order = PaymentOrder(sale.reference, sale.price, sale.expires_at, return_url)
    return await _ask(database, provider, sale.transaction_id, order)


async def _ask(database: Database, provider: Provider, transaction_id: UUID, order: PaymentOrder) -> str | None:
    """No connection is held while the provider thinks."""
    try:
        url = await provider.create_session(order)
    except ProviderError:
        return None
    async with database.autocommit() as conn:
        # The first page stays: the member may have it open. It knows where they return to; we need not any more.
        found = await conn.execute(
            "UPDATE payment_session SET redirect_url = coalesce(redirect_url, %s), next_attempt_at = NULL,"
            " return_url = NULL WHERE transaction_id = %s RETURNING redirect_url",
            [url, transaction_id],
        )
        row = await found.fetchone()
    return row[0] if row else None


async def _ask_again(database: Database, provider: Provider, transaction_id: UUID) -> None:
    async with database.autocommit() as conn:
        order = await _order(conn, transaction_id)
    if order is not None:
        await _ask(database, provider, transaction_id, order)


async def _order(conn: Connection, transaction_id: UUID) -> PaymentOrder | None:
    found = await conn.execute(
        "SELECT reference, amount, currency, expires_at, return_url FROM transaction t"
        " JOIN payment_session s ON s.transaction_id = t.id WHERE t.id = %s AND status = 'awaiting_payment'",
        [transaction_id],
    )
    row: tuple[str, int, str, datetime, str | None] | None = await found.fetchone()
    return PaymentOrder(row[0], Money(row[1], row[2]), row[3], row[4]) if row else None


# The claim is the next attempt's time: a crash in between only delays, and no lock is held while the provider thinks.
_CLAIM = f"""
UPDATE payment_session SET attempts = attempts + 1, next_attempt_at = now() +
    {doubled_sql("attempts")} * interval '1 second'
WHERE transaction_id = ANY(ARRAY(
    SELECT transaction_id FROM payment_session WHERE next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 10 FOR UPDATE SKIP LOCKED))
RETURNING transaction_id, provider
"""  # noqa: S608 - constants


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
        await asyncio.gather(*(_ask_again(self.database, provider, one) for provider, one in known if provider.remote))
        return len(due)
