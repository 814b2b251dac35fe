"""What people ask of Transactions, as prose; and what follows the commit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from booking_process.database import Database
from booking_store import CommandContext, Connection, IdempotencyKey, Loaded, Outcome, handle, load_with_key
from checkout import catalogue
from checkout.people import store as people
from checkout.ranking import figures
from checkout.transactions.commands import Cancel, Candidate, Command, Create, Offer, Reassign, RequestRefund
from checkout.transactions.state import AwaitingPayment, Sale, State
from checkout.transactions.store import TRANSACTION, Beside, LoadWithBeside

WORKER_AFTER = timedelta(seconds=10)  # until then the request itself asks the provider for a page
LONGEST_PURCHASE = 6.0  # seconds; the provider's own deadline is shorter (P3)
Wanted = Command | Callable[[Connection], Awaitable[Command]]
Load = Callable[[Connection, UUID, IdempotencyKey | None], Awaitable[Loaded]]
ATTEMPTS = 2  # a conflict is one retry of the whole decision, then 409


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to, and what its Transaction shows beside itself."""

    outcome: Outcome[State]
    beside: Beside


@dataclass(frozen=True, slots=True)
class Handlers:
    """Checkout's commands. `provider` is that of new sales, `ask_page` asks it for a page where it has some.

    `poke` tells the relay of a commit.
    """

    database: Database
    provider: str
    ask_page: Callable[[Sale, str | None], Awaitable[str | None]] | None
    poke: Callable[[], None]

    async def create(
        self, product_id: UUID, practitioner_id: UUID, member: UUID, return_url: str | None, context: CommandContext
    ) -> Done:
        """Sell a product (P1) and lock the pair (P2); the payment page is asked for after the commit (P3)."""
        transaction_id, pair = uuid7(), None

        async def create(conn: Connection) -> Create:
            nonlocal pair
            product = await catalogue.find(conn, product_id)
            pair = await people.find_pair(conn, practitioner_id, member)
            return Create(
                transaction_id=transaction_id,
                user_id=member,
                offer=_offer(product) if product else None,
                practitioner=Candidate(practitioner_id, frozenset(pair.tiers), pair.active) if pair else None,
                provider=self.provider,
                expires_at=context.at + timedelta(minutes=product.payment_ttl_minutes if product else 0),
                page_at=context.at + WORKER_AFTER if self.ask_page else None,
                return_url=return_url if self.ask_page else None,
            )

        outcome = await self.handle(transaction_id, create, context)
        if not outcome.changed or pair is None:
            return Done(outcome, Beside())
        url = await self._page_of(outcome.state, return_url)
        return Done(outcome, Beside(url, pair.practitioner_name, member_name=pair.member_name))

    async def _page_of(self, state: State, return_url: str | None) -> str | None:
        """Whatever happens here, the sale is committed: the answer is 201 and a worker goes on trying."""
        if self.ask_page is None:
            return None
        assert isinstance(state, AwaitingPayment)  # so it is sold
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_PURCHASE):
                return await self.ask_page(state.sale, return_url)
        return None

    async def cancel(self, transaction_id: UUID, context: CommandContext) -> Done:
        """Cancel before payment (P3)."""
        return await self._done(transaction_id, Cancel(context.text.id if context.text else None), context)

    async def refund(self, transaction_id: UUID, context: CommandContext) -> Done:
        """Begin the refund (P5); a worker carries it to the provider."""
        return await self._done(transaction_id, RequestRefund(uuid7(), reason_id(context)), context)

    async def reassign(self, transaction_id: UUID, practitioner_id: UUID, context: CommandContext) -> Done:
        """Give the Transaction to another practitioner (P2)."""

        name: str | None = None

        async def reassign(conn: Connection) -> Reassign:
            nonlocal name
            status, found = (
                await figures.status_of(conn, transaction_id),
                await people.find_profile(conn, practitioner_id),
            )
            name = found.name if found else None
            candidate = Candidate(found.id, frozenset(found.tiers), found.active) if found else None
            return Reassign(candidate, reason_id(context), status)

        done = await self._done(transaction_id, reassign, context)
        return replace(done, beside=replace(done.beside, practitioner_name=name, practitioner_erased=False))

    async def _done(self, transaction_id: UUID, command: Wanted, context: CommandContext) -> Done:
        load = LoadWithBeside()
        outcome = await self.handle(transaction_id, command, context, load=load)
        return Done(outcome, load.beside)

    async def handle(
        self, transaction_id: UUID, command: Wanted, context: CommandContext, *, load: Load = load_with_key
    ) -> Outcome[State]:
        """Carry out a command, or one that is put together of facts."""
        async with self.database.autocommit() as conn:

            async def made(_state: State) -> Command:
                return await command(conn) if callable(command) else command

            outcome = await handle(conn, TRANSACTION, transaction_id, made, context, attempts=ATTEMPTS, load=load)
        if outcome.changed:
            self.poke()
        return outcome


def reason_id(context: CommandContext) -> UUID:
    """Return the id of the words that come with a command which demands some."""
    if context.text is None:
        raise AssertionError("a reason is required here")
    return context.text.id


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
