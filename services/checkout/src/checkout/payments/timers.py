"""Stored notifications whose Transaction has appeared since, and what alerts watch (P4, P5)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from prometheus_client import Gauge

from booking_process.database import Database, DatabaseDownError
from booking_process.observed import refreshed
from checkout.contexts import by_system
from checkout.payments import reviews
from checkout.payments.notifications import Received, settle, undecided

log = logging.getLogger(__name__)
NIL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Matching:
    database: Database
    poke: Callable[[], None]

    async def step(self) -> int:
        """Decide all that can be decided now, each in a transaction of its own; 0, since nothing is left to do at once.

        One that fails, or stays undecided, is looked at again in the next step and keeps none behind it waiting.
        """
        last: UUID | None = NIL
        while last is not None:
            try:
                last = await self._one(None, last)
            except DatabaseDownError:
                raise
            except Exception:
                log.exception("a notification could not be decided", extra={"after": str(last)})
                last = await self._following(last)
        return 0

    async def settle(self, names: UUID) -> None:
        """Decide all that name this Transaction."""
        last: UUID | None = NIL
        while last is not None:
            last = await self._one(names, last)

    async def _one(self, names: UUID | None, after: UUID) -> UUID | None:
        """Decide the next one after that id; its id, None if there is none."""
        async with self.database.transaction() as conn:
            found = await undecided(conn, limit=1, names=names, after=after)
            for row_id, said in found:
                context = by_system(str(uuid4()), actor=f"service:{said.provider}")
                await settle(conn, Received(row_id, said), context)
                if said.names:
                    await reviews.matched(conn, said, said.names)
        if not found:
            return None
        self.poke()
        return found[0][0]

    async def _following(self, after: UUID) -> UUID | None:
        async with self.database.transaction() as conn:
            found = await undecided(conn, limit=1, names=None, after=after)
        return found[0][0] if found else None


OPEN_REVIEWS = Gauge("checkout_payment_reviews_open", "Payment reviews that wait for an admin.", ["cause"])
OLDEST_REFUND = Gauge("checkout_refund_oldest_seconds", "Age of the oldest refund without the provider's word.")
REFUNDS = Gauge("checkout_refunds_requested", "Refunds without the provider's word.")
OVERDUE = Gauge("checkout_expiry_overdue", "Unpaid Transactions past their time and its grace.")
OVERDUE_SECONDS = Gauge("checkout_expiry_lateness_seconds", "How long the oldest of those is overdue.")
CAUSES = (
    "after_expiry",
    "after_cancel",
    "wrong_amount",
    "wrong_currency",
    "second_payment",
    "unknown_transaction",
    "unreadable",
)
_REVIEWS = "SELECT cause, count(*) FROM payment_review WHERE state = 'open' GROUP BY cause"
_REFUNDS = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(requested_at)), 0) FROM refund WHERE status = 'requested'"
)
_OVERDUE = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - %(grace)s * interval '1 second' - min(expires_at)), 0)"
    " FROM transaction WHERE status = 'awaiting_payment' AND expires_at <= now() - %(grace)s * interval '1 second'"
)


@dataclass(frozen=True, slots=True)
class Figures:
    database: Database
    grace_seconds: int

    async def step(self) -> int:
        """Set the gauges."""
        async with self.database.autocommit() as conn:
            reviews = dict(await (await conn.execute(_REVIEWS)).fetchall())
            refunds = await (await conn.execute(_REFUNDS)).fetchone()
            overdue = await (await conn.execute(_OVERDUE, {"grace": self.grace_seconds})).fetchone()
        for cause in CAUSES:
            OPEN_REVIEWS.labels(cause).set(reviews.get(cause, 0))
        for found, number, age in ((refunds, REFUNDS, OLDEST_REFUND), (overdue, OVERDUE, OVERDUE_SECONDS)):
            if found:
                number.set(found[0])
                age.set(float(found[1]))
        refreshed("money")
        return 0
