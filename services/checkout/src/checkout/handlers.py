"""What people ask of Transactions, as prose; and what follows the commit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from booking_contracts.ids import uuid7
from booking_process.database import Database
from booking_store import CommandContext, Connection, Outcome, Stale, handle
from booking_web.conditions import Conditions
from checkout import catalogue
from checkout.payments import reviews, sessions
from checkout.payments.provider import Provider
from checkout.people import store as people
from checkout.ranking import consulted
from checkout.transaction.commands import Cancel, Candidate, Command, Create, Reassign, RequestRefund, SettleReview
from checkout.transaction.state import State
from checkout.transaction.stream import TRANSACTION

WORKER_AFTER = timedelta(seconds=10)  # until then the request itself asks the provider for a page
LONGEST_PURCHASE = 6.0  # seconds; the provider's own deadline is shorter (P3)
ATTEMPTS = 2  # a conflict is one retry of the whole decision, then 409


@dataclass(frozen=True, slots=True)
class Handlers:
    """Checkout's commands. `poke` tells the relay of a commit."""

    database: Database
    providers: Mapping[str, Provider]
    default_provider: str
    poke: Callable[[], None]

    async def create(
        self, product_id: UUID, practitioner_id: UUID, member: UUID, context: CommandContext
    ) -> Outcome[State]:
        """Sell a product (P1) and lock the pair (P2); the payment page is asked for after the commit (P3)."""
        transaction_id, provider = uuid7(), self.providers[self.default_provider]

        async def create(conn: Connection) -> Create:
            product = await catalogue.find(conn, product_id)
            return Create(
                transaction_id=transaction_id,
                user_id=member,
                offer=product.offer if product else None,
                practitioner=await _candidate(conn, practitioner_id),
                provider=self.default_provider,
                expires_at=context.at + timedelta(minutes=product.payment_ttl_minutes if product else 0),
                page_at=context.at + WORKER_AFTER if provider.remote else None,
            )

        outcome = await self._handle(transaction_id, create, context)
        if outcome.changed and provider.remote:
            # Whatever happens here, the sale is committed: the answer is 201 and a worker goes on trying.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PURCHASE):
                    await sessions.ask(self.database, provider, transaction_id)
        return outcome

    async def cancel(self, transaction_id: UUID, context: CommandContext) -> Outcome[State]:
        """Cancel before payment (P3)."""
        return await self._handle(transaction_id, Cancel(context.text.id if context.text else None), context)

    async def refund(self, transaction_id: UUID, context: CommandContext) -> Outcome[State]:
        """Begin the refund (P5); a worker carries it to the provider."""
        return await self._handle(transaction_id, RequestRefund(uuid7(), _reason(context)), context)

    async def reassign(self, transaction_id: UUID, practitioner_id: UUID, context: CommandContext) -> Outcome[State]:
        """Give the Transaction to another practitioner (P2)."""

        async def reassign(conn: Connection) -> Reassign:
            status = await consulted.status_of(conn, transaction_id)
            return Reassign(await _candidate(conn, practitioner_id), _reason(context), status)

        return await self._handle(transaction_id, reassign, context)

    async def settle_review(
        self,
        transaction_id: UUID,
        review_id: UUID,
        outcome: Literal["refund", "dismiss"],
        context: CommandContext,
        seen: Conditions,
    ) -> Outcome[State]:
        """Settle a review of a Transaction's stream (P4); `seen`: which version of the review."""

        async def settle(conn: Connection) -> SettleReview:
            review = await reviews.find(conn, review_id)
            version = review.version if review else None
            if not seen.allow(version):
                raise Stale(version)
            return SettleReview(review_id, outcome, _reason(context), uuid7())

        return await self._handle(transaction_id, settle, context)

    async def _handle(
        self,
        transaction_id: UUID,
        command: Command | Callable[[Connection], Awaitable[Command]],
        context: CommandContext,
    ) -> Outcome[State]:
        async with self.database.autocommit() as conn:

            async def made(_state: State) -> Command:
                return await command(conn) if callable(command) else command

            outcome = await handle(conn, TRANSACTION, transaction_id, made, context, attempts=ATTEMPTS)
        if outcome.changed:
            self.poke()
        return outcome


def _reason(context: CommandContext) -> UUID:
    if context.text is None:
        raise AssertionError("a reason is required here")
    return context.text.id


async def _candidate(conn: Connection, practitioner_id: UUID) -> Candidate | None:
    """Return what P1 asks of a practitioner."""
    found = await people.find_profile(conn, practitioner_id)
    return Candidate(found.id, frozenset(found.tiers), found.active) if found else None
