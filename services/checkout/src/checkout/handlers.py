"""What people ask of Transactions, as prose: load, decide, append; then what follows the commit."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from booking_process.database import Database
from booking_web.etag import Conditions
from booking_web.problems import not_found
from checkout import catalogue
from checkout.asking import Asked
from checkout.catalogue import Product
from checkout.directory import practitioners
from checkout.payments import reviews, sessions
from checkout.payments.provider import Provider
from checkout.ranking import consulted
from checkout.transaction.commands import Cancel, Candidate, Command, Create, Reassign, RequestRefund, SettleReview
from checkout.transaction.perform import Done, perform
from checkout.transaction.row import Note

WORKER_AFTER = timedelta(seconds=10)  # until then the request itself asks the provider for a page
LONGEST_PURCHASE = 6.0  # seconds; the provider's own deadline is shorter (P3)


@dataclass(frozen=True, slots=True)
class Handlers:
    """Checkout's commands. `poke` tells the relay of a commit."""

    database: Database
    providers: Mapping[str, Provider]
    default_provider: str
    poke: Callable[[], None]

    async def create(self, product_id: UUID, practitioner_id: UUID, member: UUID, asked: Asked) -> Done:
        """Sell a product (P1) and lock the pair (P2); the payment page is asked for after the commit (P3)."""
        transaction_id = uuid7()
        async with self.database.autocommit() as conn:

            async def sale() -> Create:
                product = await _product(conn, product_id)
                return Create(
                    transaction_id=transaction_id,
                    user_id=member,
                    offer=product.offer,
                    practitioner=await _candidate(conn, practitioner_id),
                    provider=self.default_provider,
                    expires_at=asked.now + timedelta(minutes=product.payment_ttl_minutes),
                )

            session_at = asked.now + WORKER_AFTER if self._default.remote else None
            done = await perform(conn, transaction_id, sale, asked, session_at=session_at)
        self._committed(done)
        if done.changed and self._default.remote:
            await self._page(transaction_id)
        return done

    async def cancel(self, transaction_id: UUID, reason: str | None, asked: Asked) -> Done:
        """Cancel before payment (P3)."""
        note = _note(asked, reason)
        return await self._perform(transaction_id, Cancel(note.id if note else None), asked, note)

    async def refund(self, transaction_id: UUID, reason: str, asked: Asked) -> Done:
        """Begin the refund (P5); a worker carries it to the provider."""
        note = _said(asked, reason)
        return await self._perform(transaction_id, RequestRefund(uuid7(), note.id), asked, note)

    async def reassign(self, transaction_id: UUID, practitioner_id: UUID, reason: str, asked: Asked) -> Done:
        """Give the Transaction to another practitioner (P2)."""
        note = _said(asked, reason)
        async with self.database.autocommit() as conn:

            async def reassignment() -> Reassign:
                status = await consulted.status_of(conn, transaction_id)
                return Reassign(await _candidate(conn, practitioner_id), note.id, status)

            done = await perform(conn, transaction_id, reassignment, asked, note=note)
        self._committed(done)
        return done

    async def settle_review(  # noqa: PLR0917
        self,
        transaction_id: UUID,
        review_id: UUID,
        outcome: Literal["refund", "dismiss"],
        reason: str,
        asked: Asked,
        seen: Conditions,
    ) -> Done:
        """Settle a review of a Transaction's stream (P4); `seen`: which version of the review."""
        note = _said(asked, reason)
        async with self.database.autocommit() as conn:

            async def settlement() -> SettleReview:
                review = await reviews.find(conn, review_id)
                seen.check(review.version if review else None)
                return SettleReview(review_id, outcome, note.id, uuid7())

            done = await perform(conn, transaction_id, settlement, asked, note=note)
        self._committed(done)
        return done

    async def _perform(self, transaction_id: UUID, command: Command, asked: Asked, note: Note | None) -> Done:
        async with self.database.autocommit() as conn:
            done = await perform(conn, transaction_id, command, asked, note=note)
        self._committed(done)
        return done

    async def _page(self, transaction_id: UUID) -> None:
        # Whatever happens here, the sale is committed: the answer is 201 and a worker goes on trying.
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_PURCHASE):
                await sessions.ask(self.database, self._default, transaction_id)

    @property
    def _default(self) -> Provider:
        return self.providers[self.default_provider]

    def _committed(self, done: Done) -> None:
        if done.changed:
            self.poke()


def _note(asked: Asked, text: str | None) -> Note | None:
    return Note(uuid7(), asked.author, text) if text else None


def _said(asked: Asked, text: str) -> Note:
    return Note(uuid7(), asked.author, text)


async def _product(conn: psycopg.AsyncConnection[Any], product_id: UUID) -> Product:
    product = await catalogue.find(conn, product_id)
    if product is None:
        raise not_found("There is no such product.")
    return product


async def _candidate(conn: psycopg.AsyncConnection[Any], practitioner_id: UUID) -> Candidate:
    candidate = await practitioners.candidate(conn, practitioner_id)
    if candidate is None:
        raise not_found("There is no such practitioner.")
    return candidate
