"""The payment page of a Transaction: asked for after the commit, by the request itself and then by a worker (P3)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.money import Money
from booking_process.database import Database
from checkout.payments.provider import Order, Provider, ProviderError


async def redirect_url(conn: psycopg.AsyncConnection[Any], transaction_id: UUID) -> str | None:
    """Return the page's address, None as long as the provider gave none."""
    found = await conn.execute("SELECT redirect_url FROM payment_session WHERE transaction_id = %s", [transaction_id])
    row = await found.fetchone()
    return row[0] if row else None


async def redirect_urls(conn: psycopg.AsyncConnection[Any], ids: list[UUID]) -> dict[UUID, str | None]:
    """Return the pages' addresses of several Transactions."""
    found = await conn.execute(
        "SELECT transaction_id, redirect_url FROM payment_session WHERE transaction_id = ANY(%s)", [ids]
    )
    return dict(await found.fetchall())


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


async def _order(conn: psycopg.AsyncConnection[Any], transaction_id: UUID) -> Order | None:
    found = await conn.execute(
        "SELECT reference, amount, currency, expires_at FROM transaction WHERE id = %s AND status = 'awaiting_payment'",
        [transaction_id],
    )
    row: tuple[str, int, str, datetime] | None = await found.fetchone()
    return Order(row[0], Money(row[1], row[2]), row[3]) if row else None
