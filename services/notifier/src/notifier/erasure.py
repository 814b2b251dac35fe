"""Product rule E4 here: contact, name, preferences and held contact records go, waiting messages are dropped.

The ledger stays: it holds ids only. The row of preferences stays, empty: it has the version of their tombstone.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_inbox import forget_key
from booking_web.idempotency import forget_answers
from notifier.ledger.store import ledger_update
from notifier.people import FORGET, lock_person

_DROP_WAITING = ledger_update(
    "state = 'skipped', reason = 'erased', not_before = NULL",
    "n.recipient_id = %(person)s AND n.state = 'pending'",
)


async def erase(conn: psycopg.AsyncConnection[Any], person_id: UUID, at: datetime) -> None:
    """Delete everything of this person that E4 names; repeatable, within the caller's transaction."""
    for topic in (CONTACTS, PRACTITIONERS):
        await forget_key(conn, topic.name, str(person_id))
    await lock_person(conn, person_id)
    await conn.execute("INSERT INTO erased VALUES (%s, %s) ON CONFLICT DO NOTHING", [person_id, at])
    await conn.execute("DELETE FROM contact WHERE person_id = %s", [person_id])
    await conn.execute("DELETE FROM practitioner WHERE id = %s", [person_id])
    await conn.execute(FORGET, {"person": person_id})
    await conn.execute(_DROP_WAITING, {"person": str(person_id)})
    await forget_answers(conn, person_id)
