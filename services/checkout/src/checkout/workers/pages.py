"""Payment pages that the provider did not give when the sale was made (P3)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from booking_process.database import Database
from checkout.payments import sessions
from checkout.payments.provider import Provider
from checkout.workers.backoff import WAIT, Backoff

# The claim is the next attempt's time: a crash in between only delays, and no lock is held while the provider thinks.
_CLAIM = f"""
UPDATE payment_session SET attempts = attempts + 1, next_attempt_at = now() + {WAIT.format(attempts="attempts")}
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
        await asyncio.gather(
            *(sessions.ask(self.database, provider, one) for provider, one in known if provider.remote)
        )
        return len(due)
