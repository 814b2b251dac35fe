"""What the calendar takes beside the sessions: who is a practitioner (C3), who chose which language (N2), and who was
erased (E4).

Of an erased person the feeds and the language go; rows hold ids alone and stay valid.
"""

from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.directory import PersonPreferences
from booking_contracts.topics import ERASURES, PRACTITIONERS, PREFERENCES
from booking_inbox import Subscription, forget_key
from calendar_projector.calendar import people

CONSUMER = "calendar-projector"


async def _erase(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    await forget_key(conn, PREFERENCES.name, item.meta.subject)
    await people.forget(conn, UUID(item.meta.subject))


async def _practitioner(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    person = UUID(item.meta.subject)
    if item.kind == "tombstone":
        await conn.execute("DELETE FROM practitioner WHERE id = %s", (person,))
    else:
        await conn.execute("INSERT INTO practitioner (id) VALUES (%s) ON CONFLICT DO NOTHING", (person,))


async def _preferences(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    if isinstance(item.event, PersonPreferences):
        await people.choose(conn, item.event.person_id, item.event.language)
    elif item.kind == "tombstone":
        await people.choose_none(conn, UUID(item.meta.subject))


def subscriptions() -> list[Subscription]:
    """The topics beside the sessions, record by record."""
    return [
        Subscription(ERASURES, _erase),
        Subscription(PRACTITIONERS, _practitioner),
        Subscription(PREFERENCES, _preferences),
    ]
