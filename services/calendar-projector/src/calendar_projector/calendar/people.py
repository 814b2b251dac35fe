"""What the calendar knows of a person: the language that they chose (N2), and whether they were erased (E4)."""

from typing import Any
from uuid import UUID

import psycopg

from booking_web.languages import Language


async def language_chosen(conn: psycopg.AsyncConnection[Any], person: UUID) -> Language | None:
    """The language of the person's preferences; None for whoever chose none."""
    found = await conn.execute("SELECT language FROM person_language WHERE person_id = %s", (person,))
    row = await found.fetchone()
    return row[0] if row else None


async def choose(conn: psycopg.AsyncConnection[Any], person: UUID, language: Language) -> None:
    """Keep what the person chose. Topics have no order among each other: what comes after their erasure is not kept."""
    await lock(conn, person)
    await conn.execute(
        """INSERT INTO person_language (person_id, language) SELECT %(person)s, %(language)s
           WHERE NOT EXISTS (SELECT FROM erased_person WHERE person_id = %(person)s)
           ON CONFLICT (person_id) DO UPDATE SET language = excluded.language""",
        {"person": person, "language": language},
    )


async def choose_none(conn: psycopg.AsyncConnection[Any], person: UUID) -> None:
    """Nothing is chosen any more."""
    await conn.execute("DELETE FROM person_language WHERE person_id = %s", (person,))


async def is_erased(conn: psycopg.AsyncConnection[Any], person: UUID) -> bool:
    """Whether the person was erased; their token may still be valid."""
    found = await conn.execute("SELECT 1 FROM erased_person WHERE person_id = %s", (person,))
    return await found.fetchone() is not None


async def forget(conn: psycopg.AsyncConnection[Any], person: UUID) -> None:
    """Delete an erased person's feeds and language, and keep none any more. Within a transaction."""
    await lock(conn, person)
    await conn.execute("INSERT INTO erased_person (person_id) VALUES (%s) ON CONFLICT DO NOTHING", (person,))
    await conn.execute("DELETE FROM feed WHERE person_id = %s", (person,))
    await choose_none(conn, person)


async def lock(conn: psycopg.AsyncConnection[Any], person: UUID) -> None:
    """One writer of a person's data at a time, until the transaction ends: an erasure misses nothing."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (str(person),))
