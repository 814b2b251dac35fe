"""What people ask of Transactions, as prose; and what follows the commit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from booking_process.database import Database
from booking_store import CommandContext, Connection, Outcome, handle
from checkout import catalogue
from checkout.people import store as people
from checkout.ranking import figures
from checkout.transactions.commands import Cancel, Candidate, Command, Create, Offer, Reassign, RequestRefund
from checkout.transactions.state import State
from checkout.transactions.store import TRANSACTION

WORKER_AFTER = timedelta(seconds=10)  # until then the request itself asks the provider for a page
LONGEST_PURCHASE = 6.0  # seconds; the provider's own deadline is shorter (P3)
ATTEMPTS = 2  # a conflict is one retry of the whole decision, then 409


@dataclass(frozen=True, slots=True)
class Handlers:
    """Checkout's commands. `provider` is that of new sales, `ask_page` asks it for a page where it has some.

    `poke` tells the relay of a commit.
    """

    database: Database
    provider: str
    ask_page: Callable[[UUID], Awaitable[object]] | None
    poke: Callable[[], None]

    async def create(
        self, product_id: UUID, practitioner_id: UUID, member: UUID, context: CommandContext
    ) -> Outcome[State]:
        """Sell a product (P1) and lock the pair (P2); the payment page is asked for after the commit (P3)."""
        transaction_id = uuid7()

        async def create(conn: Connection) -> Create:
            product = await catalogue.find(conn, product_id)
            return Create(
                transaction_id=transaction_id,
                user_id=member,
                offer=_offer(product) if product else None,
                practitioner=await _candidate(conn, practitioner_id),
                provider=self.provider,
                expires_at=context.at + timedelta(minutes=product.payment_ttl_minutes if product else 0),
                page_at=context.at + WORKER_AFTER if self.ask_page else None,
            )

        outcome = await self.handle(transaction_id, create, context)
        if outcome.changed and self.ask_page:
            # Whatever happens here, the sale is committed: the answer is 201 and a worker goes on trying.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PURCHASE):
                    await self.ask_page(transaction_id)
        return outcome

    async def cancel(self, transaction_id: UUID, context: CommandContext) -> Outcome[State]:
        """Cancel before payment (P3)."""
        return await self.handle(transaction_id, Cancel(context.text.id if context.text else None), context)

    async def refund(self, transaction_id: UUID, context: CommandContext) -> Outcome[State]:
        """Begin the refund (P5); a worker carries it to the provider."""
        return await self.handle(transaction_id, RequestRefund(uuid7(), reason_id(context)), context)

    async def reassign(self, transaction_id: UUID, practitioner_id: UUID, context: CommandContext) -> Outcome[State]:
        """Give the Transaction to another practitioner (P2)."""

        async def reassign(conn: Connection) -> Reassign:
            status = await figures.status_of(conn, transaction_id)
            return Reassign(await _candidate(conn, practitioner_id), reason_id(context), status)

        return await self.handle(transaction_id, reassign, context)

    async def handle(
        self,
        transaction_id: UUID,
        command: Command | Callable[[Connection], Awaitable[Command]],
        context: CommandContext,
    ) -> Outcome[State]:
        """Carry out a command, or one that is put together of facts."""
        async with self.database.autocommit() as conn:

            async def made(_state: State) -> Command:
                return await command(conn) if callable(command) else command

            outcome = await handle(conn, TRANSACTION, transaction_id, made, context, attempts=ATTEMPTS)
        if outcome.changed:
            self.poke()
        return outcome


def reason_id(context: CommandContext) -> UUID:
    """Return the id of the words that come with a command which demands some."""
    if context.text is None:
        raise AssertionError("a reason is required here")
    return context.text.id


async def _candidate(conn: Connection, practitioner_id: UUID) -> Candidate | None:
    """Return what P1 asks of a practitioner."""
    found = await people.find_profile(conn, practitioner_id)
    return Candidate(found.id, frozenset(found.tiers), found.active) if found else None


def _offer(product: catalogue.Product) -> Offer:
    """What a sale copies of the product (P1)."""
    snapshot = ProductSnapshot(
        id=product.id,
        name=product.name,
        kind=product.kind,
        tier=product.tier,
        duration_minutes=product.duration_minutes,
    )
    price = Money(product.amount, product.currency)
    return Offer(snapshot, price, product.request_limit_minutes, product.auto_start, product.active)
