"""What the calendar takes beside the sessions: people, record by record."""

from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import ERASURES, PRACTITIONERS, PREFERENCES
from booking_inbox import Subscription
from calendar_projector.people import PEOPLE, erase

CONSUMER = "calendar-projector"


async def _erase(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    await erase(conn, UUID(item.meta.subject), item.meta.time)


def subscriptions() -> list[Subscription]:
    """The topics beside the sessions."""
    return [
        Subscription(ERASURES, _erase),
        Subscription(PRACTITIONERS, PEOPLE.follow),
        Subscription(PREFERENCES, PEOPLE.follow),
    ]
