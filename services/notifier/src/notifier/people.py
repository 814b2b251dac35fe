"""Who people are and what they chose, as the directory's topics and the people themselves tell."""

from collections.abc import Iterable
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_contracts.topics import CONTACTS, PRACTITIONERS, PREFERENCES
from booking_outbox import StateTopic
from booking_people.copies import Copy, People
from notifier.rules.delivery import Preferences
from notifier.rules.table import ADMINS

PEOPLE = People(
    "erased",
    copies=(
        Copy(PRACTITIONERS, "practitioner", ("name", "timezone")),
        Copy(CONTACTS, "contact", ("name", "email", "phone", "locale", "timezone")),
    ),
    key="'person:' || %(person)s::text, 0",
)

# A change of a person's row and its mark for the topic are one statement: neither exists without the other.
CHOOSE: LiteralString = """
WITH changed AS (
    INSERT INTO preference AS p (person_id, email, whatsapp, language, version)
    VALUES (%(person)s, %(email)s, %(whatsapp)s, %(language)s, 1)
    ON CONFLICT (person_id) DO UPDATE SET
        email = excluded.email, whatsapp = excluded.whatsapp, language = excluded.language, version = p.version + 1,
        updated_at = clock_timestamp()
    RETURNING p.person_id)
INSERT INTO outbox (topic, key) SELECT 'booking.notifier.preferences.v1', person_id::text FROM changed"""

# An erased person's row stays, empty, with its version, which never restarts: the topic's tombstone (E4).
FORGET: LiteralString = """
WITH changed AS (
    UPDATE preference p SET email = NULL, whatsapp = NULL, language = NULL, version = p.version + 1,
        updated_at = clock_timestamp()
    WHERE p.person_id = %(person)s AND p.language IS NOT NULL
    RETURNING p.person_id)
INSERT INTO outbox (topic, key) SELECT 'booking.notifier.preferences.v1', person_id::text FROM changed"""

PUBLISHED = StateTopic(
    PREFERENCES,
    """SELECT person_id::text AS key, version::bigint AS version, updated_at AS occurred_at,
              CASE WHEN language IS NOT NULL THEN json_build_object('person_id', person_id, 'email', email,
                  'whatsapp', whatsapp, 'language', language)::text END AS value
       FROM preference WHERE person_id = ANY(%(keys)s::text[]::uuid[])""",
    all_keys="SELECT person_id::text AS key FROM preference",
)


async def preferences_of(
    conn: psycopg.AsyncConnection[Any], recipients: Iterable[str]
) -> dict[str, tuple[Preferences, str | None]]:
    """Each recipient's preferences and the locale of the profile; the defaults for whom nothing is known yet."""
    found: dict[str, tuple[Preferences, str | None]] = dict.fromkeys(recipients, (Preferences(), None))
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
