"""Names, zones and numbers of people as consumed so far, and what an erasure takes away (product.md E4)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_people.copies import Copy, People

Connection = psycopg.AsyncConnection[Any]

PEOPLE = People(
    "erased_person",
    copies=(
        Copy(PRACTITIONERS, "practitioner", ("name", "timezone")),
        Copy(CONTACTS, "contact", ("name", "phone", "locale")),
    ),
)

# An erased person's name is gone wherever it came from; `erased` says so, that null isn't taken for unknown (E5).
_PARTIES = """
SELECT CASE WHEN ep.person_id IS NULL THEN coalesce(p.name, pc.name) END AS practitioner_name,
       CASE WHEN em.person_id IS NULL THEN m.name END AS member_name,
       ep.person_id IS NOT NULL AS practitioner_erased, em.person_id IS NOT NULL AS member_erased,
       pc.phone AS practitioner_phone, pc.locale AS practitioner_locale
FROM (SELECT $1::uuid AS practitioner_id, $2::uuid AS user_id) s
LEFT JOIN practitioner p ON p.id = s.practitioner_id
LEFT JOIN contact pc ON pc.person_id = s.practitioner_id
LEFT JOIN contact m ON m.person_id = s.user_id
LEFT JOIN erased_person ep ON ep.person_id = s.practitioner_id
LEFT JOIN erased_person em ON em.person_id = s.user_id
"""

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


@dataclass(frozen=True, slots=True)
class Parties:
    """The two people of a session, for showing it. Name and number may be unknown or erased."""

    practitioner_name: str | None
    member_name: str | None
    practitioner_erased: bool
    member_erased: bool
    practitioner_phone: str | None
    practitioner_locale: str | None


async def parties_of(conn: Connection, practitioner_id: UUID, member_id: UUID) -> Parties:
    """Who they are, as far as it is known."""
    # A raw cursor, as the load and the append have: this is the third statement of every command.
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    await cursor.execute(_PARTIES, [practitioner_id, member_id], prepare=True)
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
