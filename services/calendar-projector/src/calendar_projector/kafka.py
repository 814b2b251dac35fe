"""What the calendar takes beside the sessions: people, record by record.

Of contacts locale and name alone are kept (E4). The sessions are taken by the projector (projection/): each generation
is a consumer of its own; and by the stream of changes (stream/telling.py).
"""

from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS
from booking_inbox import InboxRouter
from calendar_projector.people import PEOPLE, erase
from calendar_projector.stream import log

CONSUMER = "calendar-people"
"""A new name reads the topics from their beginning: needed whenever more is to be kept of people than before."""


router = InboxRouter()
router.subscriber(PRACTITIONERS, CONTACTS)(PEOPLE.follow)


@router.subscriber(ERASURES)
async def erasures(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    """E4."""
    person = UUID(item.meta.subject)
    await erase(conn, person, item.meta.time)
    await log.end_streams_of(conn, person)
