"""Transactions that nobody paid in time (P3): what is stored is decided, then the provider is asked, then it expires.

With the provider down it waits: a Transaction never expires while its money may be there. Money that comes later still
becomes a review, so whichever of expiry and payment commits first, exactly one outcome stands (F65).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from booking_process.backoff import doubled_sql
from booking_process.database import Database
from booking_store import Busy, Refused, handle
from checkout.contexts import by_system
from checkout.payments.notifications import receive
from checkout.payments.provider import Backoff, Provider, ProviderError
from checkout.payments.timers import Matching
from checkout.transactions.commands import Expire
from checkout.transactions.store import TRANSACTION

_CLAIM = f"""
UPDATE payment_session SET checks = checks + 1, check_at = now() +
    {doubled_sql("checks")} * interval '1 second'
WHERE transaction_id = ANY(ARRAY(
    SELECT t.id FROM transaction t JOIN payment_session s ON s.transaction_id = t.id
    WHERE t.status = 'awaiting_payment' AND t.expires_at <= now() - %(grace)s::interval AND s.check_at <= now()
    ORDER BY t.expires_at, t.id LIMIT 10 FOR UPDATE OF s SKIP LOCKED))
RETURNING transaction_id, provider
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Expiry:
    database: Database
    providers: Mapping[str, Provider]
    backoff: Backoff
    grace: timedelta
    matching: Matching
    poke: Callable[[], None]

    async def step(self) -> int:
        """Expire what is due; what cannot be decided now comes again later."""
        parameters = {**self.backoff.parameters, "grace": self.grace}
        async with self.database.autocommit() as conn:
            due = await (await conn.execute(_CLAIM, parameters)).fetchall()
        # At once: a provider that keeps each one waiting must not keep them all waiting in a line.
        await asyncio.gather(*(self.expire(transaction_id, provider) for transaction_id, provider in due))
        return len(due)

    async def expire(self, transaction_id: UUID, provider_name: str) -> None:
        """Decide on one Transaction whose time is over."""
        await self.matching.settle(names=transaction_id)
        context = by_system(str(uuid4()))
        try:
            if not await self._provider_has_spoken(transaction_id, provider_name):
                return
            async with self.database.autocommit() as conn:
                await handle(conn, TRANSACTION, transaction_id, Expire(context.at), context)
        except (Refused, Busy, ProviderError):
            return  # paid or canceled meanwhile (wrong_status), or the provider is down: no expiry now
        self.poke()

    async def _provider_has_spoken(self, transaction_id: UUID, name: str) -> bool:
        """Whether the provider told all it knows; what it says is taken like its notification."""
        provider = self.providers.get(name)
        if provider is None:
            return False  # not configured (any more): nobody can say whether it was paid
        if not provider.remote:
            return True
        known = await provider.status(str(transaction_id))
        if known is not None:
            said, body = known
            context = by_system(str(uuid4()), actor=f"service:{name}")
            if await receive(self.database, said, body, context):
                self.poke()
        return True
