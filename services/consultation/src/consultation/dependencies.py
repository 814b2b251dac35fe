"""What the routes work with: the database, the clock, the rules that are settings, and what to do after a commit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from booking_contracts.topics import CONTACTS, PRACTITIONERS, TRANSACTIONS
from booking_process.database import Database
from consultation.links import MeetingLinks, ResultLinks

Clock = Callable[[], datetime]


def now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Made once by app.py."""

    database: Database
    clock: Clock
    meeting_links: MeetingLinks
    result_links: ResultLinks
    platform_timezone: str
    committed: Callable[[], None]


# What a Consistency-Token may name here, and the topic that tells it.
TOKENS = {
    "checkout:transaction": TRANSACTIONS.name,
    "checkout:practitioner": PRACTITIONERS.name,
    "checkout:person": CONTACTS.name,
}

SERVICE = "consultation"
CONSUMER = "consultation"
"""The consumer's name: its rows in `inbox` answer consistency tokens."""
