"""What the calendar takes beside the sessions: who is a practitioner (C3), and who was erased (E4).

Of an erased person the feeds go; rows hold ids alone and stay valid.
"""

from typing import Any
from uuid import UUID

import psycopg

from booking_chassis.consumer import Subscription
from booking_contracts.decode import Decoded
from booking_contracts.topics import ERASURES, PRACTITIONERS
from calendar_projector.calendar import feeds

CONSUMER = "calendar-projector"


async def _erase(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    await feeds.forget(conn, UUID(item.meta.subject))


async def _practitioner(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    person = UUID(item.meta.subject)
    if item.kind == "tombstone":
        await conn.execute("DELETE FROM practitioner WHERE id = %s", (person,))
    else:
        await conn.execute("INSERT INTO practitioner (id) VALUES (%s) ON CONFLICT DO NOTHING", (person,))


def subscriptions() -> list[Subscription]:
    """The topics beside the sessions, record by record."""
    return [Subscription(ERASURES, _erase), Subscription(PRACTITIONERS, _practitioner)]
