"""What the calendar knows of people: who is a practitioner (C3), who chose which language (N2), who was erased (E4)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.topics import PRACTITIONERS, PREFERENCES
from booking_people.copies import Copy, People
from booking_web.languages import Language
from booking_web.problems import Problem, forbidden

PEOPLE = People(
    "erased_person",
    copies=(Copy(PRACTITIONERS, "practitioner"), Copy(PREFERENCES, "person_language", ("language",))),
    key="%(person)s::text, 1",
)


def person_erased() -> Problem:
    """What an erased person whose token is still valid gets here."""
    return forbidden("person_erased", "This person was erased; nothing shows their calendar any more.")


async def language_chosen(conn: psycopg.AsyncConnection[Any], person: UUID) -> Language | None:
    """The language of the person's preferences; None for whoever chose none."""
    found = await conn.execute("SELECT language FROM person_language WHERE person_id = %s", (person,))
    row = await found.fetchone()
    return row[0] if row else None


async def erase(conn: psycopg.AsyncConnection[Any], person: UUID, at: datetime) -> None:
    """E4: feeds and language of an erased person go; rows of sessions hold ids alone and stay valid."""
    async with PEOPLE.erasing(conn, person, at):
        await conn.execute("DELETE FROM feed WHERE person_id = %s", (person,))
