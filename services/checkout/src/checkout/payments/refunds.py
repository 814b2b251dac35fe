"""Refunds on their way to the provider (P5): asked until it says yes or its final no, each time with the same id."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import class_row

from booking_contracts.money import Money
from booking_process.backoff import doubled_sql
from booking_process.database import Database
from booking_store import handle
from checkout.contexts import by_system
from checkout.payments import reviews
from checkout.payments.provider import Backoff, Provider, ProviderDownError, ProviderRefusedError, RefundOrder
from checkout.transactions.commands import ConfirmRefund, RefuseRefund
from checkout.transactions.store import TRANSACTION

_CLAIM = f"""
UPDATE refund SET attempts = attempts + 1, next_attempt_at = now() +
    {doubled_sql("attempts")} * interval '1 second'
WHERE id = ANY(ARRAY(SELECT id FROM refund WHERE status = 'requested' AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT 10 FOR UPDATE SKIP LOCKED))
RETURNING id, transaction_id, review_id, provider, reference, payment_id, amount, currency
"""  # noqa: S608 - constants
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Due:
    """A refund to carry to its provider."""

    id: UUID
    transaction_id: UUID | None
    review_id: UUID | None
    provider: str
    reference: str
    payment_id: str
    amount: int
    currency: str

    @property
    def order(self) -> RefundOrder:
        return RefundOrder(self.id, self.reference, self.payment_id, Money(self.amount, self.currency))


@dataclass(frozen=True, slots=True)
class Refunds:
    database: Database
    providers: Mapping[str, Provider]
    backoff: Backoff
    poke: Callable[[], None]

    async def step(self) -> int:
        """Ask for the refunds that are due."""
        async with self.database.autocommit() as conn:
            cursor = conn.cursor(row_factory=class_row(Due))
            await cursor.execute(_CLAIM, self.backoff.parameters)
            due = await cursor.fetchall()
        # At once: a provider that keeps each one waiting must not keep them all waiting in a line.
        known = [(refund, self.providers[refund.provider]) for refund in due if refund.provider in self.providers]
        await asyncio.gather(*(self.carry_out(refund, provider) for refund, provider in known))
        return len(due)

    async def carry_out(self, refund: Due, provider: Provider) -> None:
        """Ask once, and record what the provider said; no answer leaves it for the next time."""
        try:
            provider_refund_id = await provider.refund(refund.order)
        except ProviderDownError:
            return
        except ProviderRefusedError as refused:
            await self._settle(refund, RefuseRefund(refund.id, refused.code), "failed", refused.code)
            return
        await self._settle(refund, ConfirmRefund(refund.id, provider_refund_id), "succeeded", None)

    async def _settle(self, refund: Due, command: Any, status: str, code: str | None) -> None:
        if refund.transaction_id is None:
            await self._settle_row(refund, status, code)
            return
        context = by_system(str(uuid4()), actor=f"service:{refund.provider}")
        async with self.database.autocommit() as conn:
            await handle(conn, TRANSACTION, refund.transaction_id, command, context, attempts=ATTEMPTS)
        self.poke()

    async def _settle_row(self, refund: Due, status: str, code: str | None) -> None:
        """Money that names no Transaction: rows only (P4)."""
        async with self.database.transaction() as conn:
            await conn.execute(
                "UPDATE refund SET status = %s, code = %s, settled_at = now() WHERE id = %s AND status = 'requested'",
                [status, code, refund.id],
            )
            if status == "failed" and refund.review_id:
                await reviews.reopen(conn, refund.review_id)
