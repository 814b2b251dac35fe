"""What has to be done now and then: forget bodies, send tombstones again, make the next month's rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from booking_process.database import Database
from checkout.erasure import erase
from checkout.payments import stored
from checkout.ranking import listing
from checkout.ranking.months import Months

EVERY = 60.0  # seconds
RANKING_SECONDS = 600.0  # how long the month's rows of everybody may take


@dataclass(frozen=True, slots=True)
class Chores:
    database: Database
    months: Months
    poke: Callable[[], None]

    async def send_tombstones_again(self) -> int:
        """Send erased keys' tombstones once more (E4)."""
        async with self.database.transaction() as conn:
            sent = await erase.send_again(conn, datetime.now(UTC))
        if sent:
            self.poke()
        return sent

    async def forget_bodies(self) -> int:
        """Delete notifications' bodies after 90 days (P4)."""
        async with self.database.autocommit() as conn:
            return await stored.forget_bodies(conn)

    async def prepare_ranking(self) -> int:
        """Make the rows of the month to come, so that at its turn the list is there (L2)."""
        async with self.database.autocommit(deadline=RANKING_SECONDS) as conn:
            await listing.prepare(conn, self.months)
        return 0
