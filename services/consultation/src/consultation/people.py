"""Names, zones and numbers of people as consumed so far, and what an erasure takes away (product.md E4); and what a
session shows of its people and of its sale."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_people.copies import Copy, People
from booking_store import IdempotencyKey, LoadBeside, Loaded

Connection = psycopg.AsyncConnection[Any]

PEOPLE = People(
    "erased_person",
    copies=(
        Copy(PRACTITIONERS, "practitioner", ("name", "timezone")),
        Copy(CONTACTS, "contact", ("name", "phone", "locale")),
    ),
)

# An erased person's name is gone wherever it came from; `erased` says so, that null isn't taken for unknown (E5).
_SHOWN = """
    CASE WHEN ep.person_id IS NULL THEN coalesce(p.name, pc.name) END,
    CASE WHEN em.person_id IS NULL THEN m.name END,
    ep.person_id IS NOT NULL, em.person_id IS NOT NULL, pc.phone, pc.locale, e.product_name, e.duration_minutes
"""
NAMED = """
LEFT JOIN LATERAL (SELECT name FROM practitioner WHERE id = s.practitioner_id OFFSET 0) p ON true
LEFT JOIN LATERAL (SELECT name, phone, locale FROM contact WHERE person_id = s.practitioner_id OFFSET 0) pc ON true
LEFT JOIN LATERAL (SELECT name FROM contact WHERE person_id = s.user_id OFFSET 0) m ON true
LEFT JOIN LATERAL (SELECT person_id FROM erased_person WHERE person_id = s.practitioner_id OFFSET 0) ep ON true
LEFT JOIN LATERAL (SELECT person_id FROM erased_person WHERE person_id = s.user_id OFFSET 0) em ON true
LEFT JOIN LATERAL (
    SELECT product_name, duration_minutes FROM entitlement WHERE transaction_id = s.transaction_id OFFSET 0
) e ON true
"""
"""What stands beside a session `s`: its people and what was bought. OFFSET 0: each by its key, whatever was planned
on empty tables, and however few people there are yet: joined whole, some thousands of them cost a page its half."""
_OF_THESE = "(SELECT $1::uuid AS practitioner_id, $2::uuid AS user_id, $3::uuid AS transaction_id) s"
_PARTIES = "SELECT" + _SHOWN + "FROM " + _OF_THESE + NAMED
_BESIDE = "SELECT json_build_array(" + _SHOWN + ")::text FROM feedback_session s" + NAMED + "WHERE s.id = $1"  # noqa: S608
_WITH_PARTIES = LoadBeside(_BESIDE)

_ERASE_TEXT = """
WITH gone AS (
    DELETE FROM session_text WHERE author_id = %(person)s
        OR session_id IN (SELECT id FROM feedback_session WHERE user_id = %(person)s)
    RETURNING id, session_id
)
UPDATE feedback_session s SET
    reason = CASE WHEN s.reason_id IN (SELECT id FROM gone) THEN NULL ELSE s.reason END,
    result_link = CASE WHEN s.result_id IN (SELECT id FROM gone) THEN NULL ELSE s.result_link END,
    result_notes = CASE WHEN s.result_id IN (SELECT id FROM gone) THEN NULL ELSE s.result_notes END
WHERE s.id IN (SELECT session_id FROM gone)
"""


class Parties(NamedTuple):
    """What a session shows beside itself: its two people, whose name and number may be unknown or erased, and what was
    sold to them, null where that is not known yet."""

    practitioner_name: str | None
    member_name: str | None
    practitioner_erased: bool
    member_erased: bool
    practitioner_phone: str | None
    practitioner_locale: str | None
    product_name: str | None
    duration_minutes: int | None


class LoadWithParties:
    """How a command's session is loaded whose answer shows its people: `parties`, as they were at the last load.

    A session that is there has both from its beginning, and a person's command changes neither.
    """

    parties: Parties | None = None

    async def __call__(self, conn: Connection, session_id: UUID, key: IdempotencyKey | None) -> Loaded:
        """The stream and what its key remembers."""
        loaded, text = await _WITH_PARTIES(conn, session_id, key)
        self.parties = None if text is None else Parties(*json.loads(text))
        return loaded


async def parties_of(conn: Connection, practitioner_id: UUID, member_id: UUID, transaction_id: UUID) -> Parties:
    """Who they are and what was sold, as far as it is known."""
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    await cursor.execute(_PARTIES, [practitioner_id, member_id, transaction_id], prepare=True)
    found = await cursor.fetchone()
    assert found is not None
    return Parties(*found)


async def zone_of(conn: Connection, practitioner_id: UUID) -> str | None:
    """The zone in which that practitioner's schedules are meant unless they say another (S1)."""
    cursor = await conn.execute("SELECT timezone FROM practitioner WHERE id = %s", [practitioner_id])
    row = await cursor.fetchone()
    return row[0] if row else None


async def erase(conn: Connection, person_id: UUID, at: datetime) -> None:
    """E4: contact, name, all free text by that person, and about them as a member; safe to repeat.

    Words that a command is just writing are waited for and deleted here; a later command waits in `is_erased` until
    this is committed, and keeps none.
    """
    async with PEOPLE.erasing(conn, person_id, at):
        await conn.execute(_ERASE_TEXT, {"person": person_id})
