"""What the calendar knows of people: who is a practitioner (C3), names, locales (N2), and who was erased (E4)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_people.copies import Copy, People
from booking_web.problems import Problem, forbidden

PEOPLE = People(
    "erased_person",
    copies=(Copy(PRACTITIONERS, "practitioner", ("name",)), Copy(CONTACTS, "person_locale", ("locale", "name"))),
    key="%(person)s::text, 1",
)


def person_erased() -> Problem:
    """What an erased person whose token is still valid gets here."""
    return forbidden("person_erased", "This person was erased; nothing shows their calendar any more.")


async def locale_of(conn: psycopg.AsyncConnection[Any], person: UUID) -> str | None:
    """The person's own locale; None for whoever is not known here."""
    found = await conn.execute("SELECT locale FROM person_locale WHERE person_id = %s", (person,))
    row = await found.fetchone()
    return row[0] if row else None


async def erase(conn: psycopg.AsyncConnection[Any], person: UUID, at: datetime) -> None:
    """E4: feeds, tickets, name and locale of an erased person go; rows of sessions hold ids alone and stay valid."""
    async with PEOPLE.erasing(conn, person, at):
        await conn.execute("DELETE FROM feed WHERE person_id = %s", (person,))
        await conn.execute("DELETE FROM stream_ticket WHERE person_id = %s", (person,))
