"""Contact data, kept apart from everything else (E4), and practitioners' public profiles: one row each.

Each change writes a row and its mark for the relay in one statement: the topic gets the row as it is when it is sent.
Whoever changes a row reads it under `lock` and saves it with the next version.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_outbox import StateTopic
from booking_people import email, name, phone
from booking_store import Cause
from booking_web.auth import Principal
from checkout import fields as kinds
from checkout.contexts import person_erased
from checkout.ranking import listing
from checkout.ranking.listing import Months

Connection = psycopg.AsyncConnection[Any]
T = TypeVar("T")
DEFAULT_LOCALE = "id"


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
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A practitioner as the public sees them, and whether they take clients."""

    id: UUID
    name: str
    photo_url: str | None
    bio: str | None
    profession: str | None
    tiers: list[str]
    timezone: str
    active: bool
    version: int


def _save(table: str, columns: tuple[str, ...]) -> sql.Composed:
    every = (*columns, *(field.name for field in fields(Cause)))
    return sql.SQL("""
WITH saved AS (
    INSERT INTO {table} AS t ({columns}) VALUES ({values})
    ON CONFLICT (id) DO UPDATE SET {changes}, updated_at = statement_timestamp()
    WHERE t.erased_at IS NULL AND t.version < excluded.version
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM saved
""").format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, every)),
        values=sql.SQL(", ").join(map(sql.Placeholder, every)),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(one)) for one in every[1:]),
    )


_SAVE_PERSON = _save("person", ("id", "name", "email", "phone", "locale", "timezone", "claimed", "version"))
_SAVE_PROFILE = _save("practitioner", tuple(field.name for field in fields(Profile)))
_PROFILE_SHOWS = """
WITH p AS (
    UPDATE practitioner SET version = version + 1, actor = %(actor)s, correlation_id = %(correlation_id)s,
        causation_id = %(causation_id)s, traceparent = %(traceparent)s, updated_at = statement_timestamp()
    WHERE id = %(id)s AND erased_at IS NULL
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM p
"""
# An erased row has no value: a tombstone, with the row's version, which never restarts (E4).
_PUBLISHED = """
SELECT id::text AS key, version::bigint AS version, updated_at AS occurred_at, actor, correlation_id, causation_id,
    traceparent, CASE WHEN erased_at IS NULL THEN json_strip_nulls(json_build_object({value}))::text END AS value
FROM {table} WHERE id = ANY(%(keys)s::text[]::uuid[])
"""
_PROFILE_VALUE = """'id', id, 'name', name, 'photo_url', photo_url, 'bio', bio, 'profession', profession,
    'tiers', to_json(tiers), 'timezone', timezone, 'active', active"""
_PERSON_VALUE = """'person_id', id, 'name', name, 'email', email, 'phone', phone, 'locale', locale,
    'timezone', timezone"""

PUBLISHED = (
    StateTopic(
        PRACTITIONERS,
        _PUBLISHED.format(table="practitioner", value=_PROFILE_VALUE),
        all_keys="SELECT id::text AS key FROM practitioner",
    ),
    StateTopic(
        CONTACTS,
        _PUBLISHED.format(table="person", value=_PERSON_VALUE),
        all_keys="SELECT id::text AS key FROM person",
    ),
)


async def lock(conn: Connection, person_id: UUID) -> None:
    """Wait for other writers of this person, their profile or its place in the list, until the transaction ends.

    It is the ranking's lock, and comes before that of any row: it also holds for a row that is not there yet, which no
    row lock does, so two first writes follow each other; and with one order nobody waits in a ring.
    """
    await listing.lock(conn, [person_id])


async def find_person(conn: Connection, person_id: UUID) -> Person | None:
    """Return a person's row, None if there is none."""
    cursor = conn.cursor(row_factory=class_row(Person))
    await cursor.execute(
        "SELECT id, name, email, phone, locale, timezone, claimed, version, erased_at IS NOT NULL AS erased"
        " FROM person WHERE id = %s",
        [person_id],
    )
    return await cursor.fetchone()


async def find_profile(conn: Connection, practitioner_id: UUID) -> Profile | None:
    """Return a practitioner who isn't erased."""
    cursor = conn.cursor(row_factory=class_row(Profile))
    await cursor.execute(
        "SELECT id, name, photo_url, bio, profession, tiers, timezone, active, version"
        " FROM practitioner WHERE id = %s AND erased_at IS NULL",
        [practitioner_id],
    )
    return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class Pair:
    """What a sale looks at: the chosen practitioner, and how the two are called."""

    practitioner_id: UUID
    practitioner_name: str
    tiers: list[str]
    active: bool
    member_name: str | None


async def find_pair(conn: Connection, practitioner_id: UUID, member_id: UUID) -> Pair | None:
    """Return a practitioner who isn't erased, and the member's name beside."""
    cursor = conn.cursor(row_factory=class_row(Pair))
    await cursor.execute(
        "SELECT id AS practitioner_id, name AS practitioner_name, tiers, active,"
        " (SELECT name FROM person WHERE id = %s) AS member_name"
        " FROM practitioner WHERE id = %s AND erased_at IS NULL",
        [member_id, practitioner_id],
    )
    return await cursor.fetchone()


async def save_person(conn: Connection, person: Person, cause: Cause) -> None:
    """Write the row of a person who isn't erased, and mark it for the relay. `version` is the new one."""
    await conn.execute(_SAVE_PERSON, {**asdict(person), "topic": CONTACTS.name, **asdict(cause)})


async def save_profile(conn: Connection, profile: Profile, cause: Cause, months: Months) -> None:
    """Write the row, mark it for the relay and list it anew (L1); within the caller's transaction, under `lock`."""
    await listing.lock(conn, [profile.id])
    await conn.execute(_SAVE_PROFILE, {**asdict(profile), "topic": PRACTITIONERS.name, **asdict(cause)})
    await listing.refresh(conn, [profile.id], months)


async def profile_shows(conn: Connection, before: Person, after: Person, cause: Cause) -> None:
    """Raise the version of a practitioner's profile where the phone or email that it shows was changed."""
    if (after.phone, after.email) != (before.phone, before.email):
        await conn.execute(_PROFILE_SHOWS, {"id": after.id, "topic": PRACTITIONERS.name, **asdict(cause)})


async def present(conn: Connection, caller: Principal, cause: Cause, zone: str) -> Person:
    """Return the caller, whose token's claims become their contact data at their first call, once.

    An erased person is refused: nothing of them is ever written again (403 `person_erased`).
    """
    found = await find_person(conn, caller.sub)
    if found is None or not (found.claimed or found.erased):
        async with conn.transaction():
            await lock(conn, caller.sub)
            before = await find_person(conn, caller.sub)
            found = _with_claims(before, caller, zone)
            if found is not before:
                await save_person(conn, found, cause)
                if before:
                    await profile_shows(conn, before, found, cause)
    if found.erased:
        raise person_erased()
    return found


def _with_claims(before: Person | None, caller: Principal, zone: str) -> Person:
    """What an admin wrote of a practitioner before stays, and is filled up."""
    if before and (before.claimed or before.erased):
        return before
    claims = Person(
        caller.sub,
        _valid(name, caller.name),
        _valid(email, caller.email),
        _valid(phone, caller.phone_number),
        _valid(kinds.locale, caller.locale) or DEFAULT_LOCALE,
        _valid(kinds.zone, caller.zoneinfo) or zone,
        claimed=True,
        version=1,
    )
    if before is None:
        return claims
    return replace(
        before,
        name=before.name or claims.name,
        email=before.email or claims.email,
        phone=before.phone or claims.phone,
        locale=claims.locale,
        claimed=True,
        version=before.version + 1,
    )


def _valid(check: Callable[[str], T], claim: str | None) -> T | None:
    """A claim that we would not accept from the person is as if it weren't there."""
    try:
        return check(claim) if claim else None
    except ValueError:
        return None
