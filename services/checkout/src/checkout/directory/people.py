"""Contact data: one row per person, published as it is now (E4).

Each change writes the row and its mark for the relay in one statement: the topic gets the row as it is when it is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_people import email, name, phone
from booking_store import Cause
from booking_web.principal import Principal
from booking_web.problems import Problem
from checkout.directory import text
from checkout.ranking import listing

T = TypeVar("T")
_COLUMNS = "id, name, email, phone, locale, timezone, claimed, version, erased_at IS NOT NULL AS erased"
DEFAULT_LOCALE = "id"

_SAVE = """
WITH p AS (
    INSERT INTO person AS p (id, name, email, phone, locale, timezone, claimed, version, actor, correlation_id,
        causation_id, traceparent)
    VALUES (%(id)s, %(name)s, %(email)s, %(phone)s, %(locale)s, %(timezone)s, %(claimed)s, %(version)s, %(actor)s,
        %(correlation_id)s, %(causation_id)s, %(traceparent)s)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone,
        locale = excluded.locale, timezone = excluded.timezone, claimed = excluded.claimed,
        version = excluded.version, actor = excluded.actor, correlation_id = excluded.correlation_id,
        causation_id = excluded.causation_id, traceparent = excluded.traceparent, updated_at = statement_timestamp()
    WHERE p.erased_at IS NULL AND p.version < excluded.version
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM p
"""
# Once: what an admin wrote of a practitioner before stays, and is filled up.
_CLAIM = """
WITH p AS (
    INSERT INTO person AS p (id, name, email, phone, locale, timezone, claimed, version, actor, correlation_id,
        causation_id, traceparent)
    VALUES (%(id)s, %(name)s, %(email)s, %(phone)s, %(locale)s, %(timezone)s, true, 1, %(actor)s,
        %(correlation_id)s, %(causation_id)s, %(traceparent)s)
    ON CONFLICT (id) DO UPDATE SET name = coalesce(p.name, excluded.name), email = coalesce(p.email, excluded.email),
        phone = coalesce(p.phone, excluded.phone), locale = excluded.locale, claimed = true, version = p.version + 1,
        actor = excluded.actor, correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,
        traceparent = excluded.traceparent, updated_at = statement_timestamp()
    WHERE NOT p.claimed AND p.erased_at IS NULL
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM p
"""
_PROFILE_SHOWS = """
WITH p AS (
    UPDATE practitioner SET version = version + 1, actor = %(actor)s, correlation_id = %(correlation_id)s,
        causation_id = %(causation_id)s, traceparent = %(traceparent)s, updated_at = statement_timestamp()
    WHERE id = %(id)s AND erased_at IS NULL
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM p
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Contact data as they are now. `claimed`: the person has called, and their token's claims were taken over."""

    id: UUID
    name: str | None
    email: str | None
    phone: str | None
    locale: str
    timezone: str
    claimed: bool
    version: int
    erased: bool


async def lock(conn: psycopg.AsyncConnection[Any], person_id: UUID) -> None:
    """Wait for other writers of this person, their profile or its place in the list, until the transaction ends.

    It is the ranking's lock, and always the first: it also holds for a row that is not there yet, which no row lock
    does, so two first writes follow each other; and with one order nobody waits in a ring.
    """
    await listing.lock(conn, [person_id])


async def find(conn: psycopg.AsyncConnection[Any], person_id: UUID) -> Person | None:
    """Return a person's row, None if there is none."""
    cursor = conn.cursor(row_factory=class_row(Person))
    await cursor.execute(f"SELECT {_COLUMNS} FROM person WHERE id = %s", [person_id])  # noqa: S608 - constants
    return await cursor.fetchone()


async def present(conn: psycopg.AsyncConnection[Any], caller: Principal, cause: Cause, zone: str) -> Person:
    """Return the caller, whose token's claims become their contact data at their first call.

    An erased person is refused: nothing of them is ever written again (403 `person_erased`).
    """
    found = await find(conn, caller.sub)
    if found is None or not (found.claimed or found.erased):
        async with conn.transaction():
            await lock(conn, caller.sub)
            await _claim(conn, caller, cause, zone)
            now = await find(conn, caller.sub)
            if found and now and (found.phone, found.email) != (now.phone, now.email):
                await profile_shows(conn, caller.sub, cause)
        found = now
    if found is None:
        raise AssertionError("a row was just written")
    if found.erased:
        raise Problem(403, "person_erased", "This person was erased; nothing is kept of them or written again.")
    return found


async def save(conn: psycopg.AsyncConnection[Any], person: Person, cause: Cause) -> None:
    """Write the row of a person who isn't erased, and mark it for the relay. `version` is the new one."""
    await conn.execute(
        _SAVE,
        {
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "phone": person.phone,
            "locale": person.locale,
            "timezone": person.timezone,
            "claimed": person.claimed,
            "version": person.version,
            "topic": CONTACTS.name,
            **_of(cause),
        },
    )


async def profile_shows(conn: psycopg.AsyncConnection[Any], person_id: UUID, cause: Cause) -> None:
    """Raise the version of a practitioner's profile, which shows the phone and email that were just changed."""
    await conn.execute(_PROFILE_SHOWS, {"id": person_id, "topic": PRACTITIONERS.name, **_of(cause)})


async def _claim(conn: psycopg.AsyncConnection[Any], caller: Principal, cause: Cause, zone: str) -> None:
    await conn.execute(
        _CLAIM,
        {
            "id": caller.sub,
            "name": _valid(name, caller.name),
            "email": _valid(email, caller.email),
            "phone": _valid(phone, caller.phone_number),
            "locale": _valid(text.locale, caller.locale) or DEFAULT_LOCALE,
            "timezone": _valid(text.zone, caller.zoneinfo) or zone,
            "topic": CONTACTS.name,
            **_of(cause),
        },
    )


def _valid(check: Callable[[str], T], claim: str | None) -> T | None:
    """A claim that we would not accept from the person is as if it weren't there."""
    try:
        return check(claim) if claim else None
    except ValueError:
        return None


def _of(cause: Cause) -> dict[str, str | None]:
    return {
        "actor": cause.actor,
        "correlation_id": cause.correlation_id,
        "causation_id": cause.causation_id,
        "traceparent": cause.traceparent,
    }
