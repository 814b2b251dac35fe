"""A provider that takes messages and says afterwards that it sends none of ours (WhatsApp's account codes by webhook).

The word comes to whichever process serves the webhook, so it is kept in the database, one row per channel. While it is
there one message at a time asks, after growing pauses; what is accepted proves nothing. The row goes when that message
was delivered, or was sent and no failure has followed for a while.
"""

from typing import Any, LiteralString
from uuid import UUID

import psycopg

_FIRST_PAUSE, _LONGEST_PAUSE, _HEALS_AFTER = 15.0, 900.0, 30.0
_PAUSES: dict[str, Any] = {"first": _FIRST_PAUSE, "longest": _LONGEST_PAUSE, "heals": _HEALS_AFTER}

_REFUSED: LiteralString = """
INSERT INTO refusal (channel, code, since, not_before)
VALUES (%(channel)s, %(code)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(first)s))
ON CONFLICT (channel) DO UPDATE SET code = excluded.code, heals_at = NULL"""
_ASK: LiteralString = """
UPDATE refusal SET probes = probes + 1, probe_id = %(id)s, heals_at = NULL,
    not_before = clock_timestamp() + make_interval(secs => least(%(first)s * 2 ^ least(probes + 1, 10), %(longest)s))
WHERE channel = %(channel)s AND not_before <= clock_timestamp()"""
_SENT: LiteralString = """
UPDATE refusal SET heals_at = clock_timestamp() + make_interval(secs => %(heals)s)
WHERE channel = %(channel)s AND probe_id = %(id)s AND heals_at IS NULL"""
_DELIVERED: LiteralString = "DELETE FROM refusal WHERE channel = %(channel)s AND probe_id = %(id)s"
_HEALED: LiteralString = "DELETE FROM refusal WHERE channel = %(channel)s AND heals_at <= clock_timestamp()"


async def refused(conn: psycopg.AsyncConnection[Any], channel: str, code: str) -> None:
    """The provider said that it sends nothing of ours: from now on one message at a time asks."""
    await conn.execute(_REFUSED, {**_PAUSES, "channel": channel, "code": code})


async def asks_again(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> bool:
    """Whether this message may ask now; no other may for the next pause."""
    return (await conn.execute(_ASK, {**_PAUSES, "channel": channel, "id": notification_id})).rowcount > 0


async def sent(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> None:
    """The provider sent a message, or judged its recipient: if it was the one that asked, all is well for now."""
    await conn.execute(_SENT, {**_PAUSES, "channel": channel, "id": notification_id})


async def delivered(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> None:
    """A message arrived: if it was the one that asked, all is well."""
    await conn.execute(_DELIVERED, {"channel": channel, "id": notification_id})


async def present(conn: psycopg.AsyncConnection[Any], channel: str) -> str | None:
    """The code by which the provider refuses us, None when it doesn't (any more)."""
    await conn.execute(_HEALED, {"channel": channel})
    row = await (await conn.execute("SELECT code FROM refusal WHERE channel = %s", [channel])).fetchone()
    return row[0] if row else None
