"""What has to be done now and then: forget bodies, make the next month's rows."""

from dataclasses import dataclass

from booking_process.database import Database
from checkout.payments import notifications
from checkout.ranking import listing
from checkout.ranking.months import Months

EVERY = 60.0  # seconds
RANKING_SECONDS = 600.0  # how long the month's rows of everybody may take


@dataclass(frozen=True, slots=True)
class Chores:
    database: Database
    months: Months

    async def forget_bodies(self) -> int:
        """Delete notifications' bodies after 90 days (P4)."""
        async with self.database.autocommit() as conn:
            return await notifications.forget_bodies(conn)

    async def prepare_ranking(self) -> int:
        """Make the rows of the month to come, so that at its turn the list is there (L2)."""
        async with self.database.autocommit(deadline=RANKING_SECONDS) as conn:
            await listing.prepare(conn, self.months)
        return 0
