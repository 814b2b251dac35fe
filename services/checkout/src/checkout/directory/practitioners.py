"""Practitioners' public profiles: one row each, published as it is now, and listed by the ranking (L1)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from booking_contracts.topics import PRACTITIONERS
from booking_store import Cause
from checkout.ranking import listing
from checkout.ranking.months import Months
from checkout.transaction.commands import Candidate

_COLUMNS = "id, name, photo_url, bio, profession, tiers, timezone, active, version"
_SAVE = """
WITH p AS (
    INSERT INTO practitioner AS p (id, name, photo_url, bio, profession, tiers, timezone, active, version, actor,
        correlation_id, causation_id, traceparent)
    VALUES (%(id)s, %(name)s, %(photo_url)s, %(bio)s, %(profession)s, %(tiers)s, %(timezone)s, %(active)s, %(version)s,
        %(actor)s, %(correlation_id)s, %(causation_id)s, %(traceparent)s)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, photo_url = excluded.photo_url, bio = excluded.bio,
        profession = excluded.profession, tiers = excluded.tiers, timezone = excluded.timezone,
        active = excluded.active, version = excluded.version, actor = excluded.actor,
        correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,
        traceparent = excluded.traceparent, updated_at = statement_timestamp()
    WHERE p.erased_at IS NULL
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM p
"""


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


async def find(conn: psycopg.AsyncConnection[Any], practitioner_id: UUID) -> Profile | None:
    """Return a practitioner who isn't erased."""
    cursor = conn.cursor(row_factory=class_row(Profile))
    await cursor.execute(
        f"SELECT {_COLUMNS} FROM practitioner WHERE id = %s AND erased_at IS NULL",  # noqa: S608 - constants
        [practitioner_id],
    )
    return await cursor.fetchone()


async def candidate(conn: psycopg.AsyncConnection[Any], practitioner_id: UUID) -> Candidate | None:
    """Return what P1 asks of a practitioner."""
    found = await find(conn, practitioner_id)
    return Candidate(found.id, frozenset(found.tiers), found.active) if found else None


async def save(conn: psycopg.AsyncConnection[Any], profile: Profile, cause: Cause, months: Months) -> None:
    """Write the row, mark it for the relay and list it anew; within the caller's transaction.

    Whoever read the profile before holds `people.lock` since then.
    """
    await listing.lock(conn, [profile.id])
    await conn.execute(
        _SAVE,
        {
            "id": profile.id,
            "name": profile.name,
            "photo_url": profile.photo_url,
            "bio": profile.bio,
            "profession": profile.profession,
            "tiers": profile.tiers,
            "timezone": profile.timezone,
            "active": profile.active,
            "version": profile.version,
            "topic": PRACTITIONERS.name,
            "actor": cause.actor,
            "correlation_id": cause.correlation_id,
            "causation_id": cause.causation_id,
            "traceparent": cause.traceparent,
        },
    )
    await listing.refresh(conn, [profile.id], months)
