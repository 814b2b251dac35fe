"""Secret feed addresses (T13): the token is the feed's id and its HMAC, so nothing secret is stored.

A revoked feed's row is gone, and its address is answered like one that never was.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from calendar_projector.people import PEOPLE

MOST_FEEDS = 20
"""Per person: enough for every device, too few to fill a table."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One address of one person."""

    id: UUID

    @property
    def created_at(self) -> datetime:
        """The time within its UUIDv7: a repeated request gets the same answer, also after revocation."""
        return datetime.fromtimestamp((self.id.int >> 80) / 1000, UTC)


class Tokens:
    """Makes and checks the secret part of feed addresses; those made with a `previous` secret are good, too."""

    def __init__(self, secret: str, public_url: str, previous: Sequence[str] = ()) -> None:
        self._secrets = [one.encode() for one in (secret, *previous)]
        self._public_url = public_url.rstrip("/")

    def address(self, feed: UUID) -> str:
        """The whole address. Whoever has it can read the calendar: show it to its owner alone, never log it."""
        token = base64.urlsafe_b64encode(feed.bytes + _mac(self._secrets[0], feed)).decode()
        return f"{self._public_url}/calendar/feeds/{token}.ics"

    def feed_of(self, token: str) -> UUID | None:
        """The feed that this token was made for, None if it is none of ours. Compares in constant time."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(raw) != 16 + hashlib.sha256().digest_size:
            return None
        feed = UUID(bytes=raw[:16])
        good = [hmac.compare_digest(raw[16:], _mac(secret, feed)) for secret in self._secrets]
        return feed if any(good) else None


def _mac(secret: bytes, feed: UUID) -> bytes:
    return hmac.digest(secret, b"booking calendar feed " + feed.bytes, "sha256")


class ErasedError(Exception):
    """The person was erased: nothing new shows their calendar (E4)."""


async def make(conn: psycopg.AsyncConnection[Any], person: UUID) -> Feed | None:
    """A new feed of the person; None if there are too many already; ErasedError. Within a transaction."""
    await PEOPLE.lock(conn, person)
    if await PEOPLE.is_erased(conn, person):
        raise ErasedError
    row = await (await conn.execute("SELECT count(*) FROM feed WHERE person_id = %s", (person,))).fetchone()
    if row is None or row[0] >= MOST_FEEDS:
        return None
    feed = Feed(uuid7())
    await conn.execute(
        "INSERT INTO feed (id, person_id, created_at) VALUES (%s, %s, %s)", (feed.id, person, feed.created_at)
    )
    return feed


async def revoke(conn: psycopg.AsyncConnection[Any], person: UUID, feed: UUID) -> bool:
    """Revoke the person's feed, at once and for ever; False if they have none such."""
    cursor = await conn.execute("DELETE FROM feed WHERE id = %s AND person_id = %s", (feed, person))
    return cursor.rowcount > 0


async def of_person(conn: psycopg.AsyncConnection[Any], person: UUID, *, before: UUID | None, limit: int) -> list[Feed]:
    """The person's feeds, newest first (ids are UUIDv7)."""
    rows = await conn.execute(
        "SELECT id FROM feed WHERE person_id = %s AND (%s::uuid IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (person, before, before, limit),
    )
    return [Feed(row[0]) for row in await rows.fetchall()]


async def owner(conn: psycopg.AsyncConnection[Any], feed: UUID) -> UUID | None:
    """Whose calendar the feed shows; None if it was revoked."""
    row = await (await conn.execute("SELECT person_id FROM feed WHERE id = %s", (feed,))).fetchone()
    return row[0] if row else None
