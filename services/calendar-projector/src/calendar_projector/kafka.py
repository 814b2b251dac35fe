"""What the calendar takes beside the sessions: people, record by record.

The sessions are taken by the projector (projection/): each generation is a consumer of its own.
"""

from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import ERASURES, PRACTITIONERS, PREFERENCES
from booking_inbox import InboxRouter
from calendar_projector.people import PEOPLE, erase

CONSUMER = "calendar-projector"


router = InboxRouter()
router.subscriber(PRACTITIONERS, PREFERENCES)(PEOPLE.follow)


@router.subscriber(ERASURES)
async def erasures(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    """E4."""
    await erase(conn, UUID(item.meta.subject), item.meta.time)
