"""Stored notifications whose Transaction has appeared since: their stream has the say now (P4, F72)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from booking_process.database import Database, DatabaseDownError
from checkout.contexts import by_system
from checkout.payments import reviews, stored
from checkout.payments.receive import Received, settle

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
            found = await stored.undecided(conn, limit=1, names=names, after=after)
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
            found = await stored.undecided(conn, limit=1, names=None, after=after)
        return found[0][0] if found else None
