"""Who people are and what they chose, as the directory's topics and the people themselves tell."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg

from notifier.rules.channels import Preferences
from notifier.rules.decide import ADMINS

NOBODY: tuple[Preferences, str | None] = (Preferences(), None)


async def preferences_of(
    conn: psycopg.AsyncConnection[Any], recipients: Iterable[str]
) -> dict[str, tuple[Preferences, str | None]]:
    """Each recipient's preferences and the locale of the profile; the defaults for whom nothing is known yet."""
    found = dict.fromkeys(recipients, NOBODY)
    ids = [UUID(recipient) for recipient in found if recipient != ADMINS]
    cursor = await conn.execute(
        """SELECT p.person_id, e.email, e.whatsapp, e.language, c.locale
           FROM unnest(%s::uuid[]) p(person_id)
           LEFT JOIN preference e USING (person_id) LEFT JOIN contact c USING (person_id)""",
        [ids],
    )
    async for person_id, email, whatsapp, chosen, locale in cursor:
        preferences = Preferences() if email is None else Preferences(email, whatsapp, chosen)
        found[str(person_id)] = (preferences, locale)
    return found


async def lock_person(conn: psycopg.AsyncConnection[Any], person_id: UUID) -> None:
    """Serialise writers of one person's data until the transaction ends.

    Without it a contact or preference written in the moment of an erasure would survive it: neither sees the other.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"person:{person_id}"])
