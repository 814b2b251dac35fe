"""Stored notifications whose Transaction has appeared since: their stream has the say now (P4, F72)."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from booking_chassis.database import Database
from checkout.asking import by_system
from checkout.payments import reviews, stored
from checkout.payments.receive import Received, settle


@dataclass(frozen=True, slots=True)
class Matching:
    database: Database
    poke: Callable[[], None]

    async def step(self) -> int:
        """Decide one notification, in a transaction of its own."""
        return await self._one(None)

    async def settle(self, names: UUID) -> None:
        """Decide all that name this Transaction."""
        while await self._one(names):
            pass

    async def _one(self, names: UUID | None) -> int:
        async with self.database.transaction() as conn:
            found = await stored.undecided(conn, limit=1, names=names)
            for row_id, said in found:
                asked = by_system(str(uuid4()), actor=f"service:{said.provider}")
                await settle(conn, Received(row_id, said), asked)
                if said.names:
                    await reviews.matched(conn, said, said.names)
        if found:
            self.poke()
        return len(found)
