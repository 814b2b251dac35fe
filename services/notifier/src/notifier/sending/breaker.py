"""Two circuit breakers per channel: one in the process for a provider that is away, one in the database.

The second is for a provider that takes messages and says afterwards that it sends none of ours (WhatsApp's account
codes by webhook). That word comes to whichever process serves the webhook, so it is kept as the channel's row in
`refusal`. While it is there one message at a time probes, after growing pauses; what is accepted proves nothing. The
row goes when the probe was delivered, or was sent and no failure has followed for a while.
"""

import time
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_process.backoff import doubled, doubled_sql
from notifier.sending.pacing import jittered

_PAUSES: dict[str, Any] = {"first": 15.0, "longest": 900.0, "heals": 30.0}

_SUSPEND: LiteralString = """
INSERT INTO refusal (channel, code, since, not_before)
VALUES (%(channel)s, %(code)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(first)s))
ON CONFLICT (channel) DO UPDATE SET code = excluded.code, heals_at = NULL"""
_PROBE: LiteralString = f"""
UPDATE refusal SET probes = probes + 1, probe_id = %(id)s, heals_at = NULL,
    not_before = clock_timestamp() + make_interval(secs => {doubled_sql("probes + 1")})
WHERE channel = %(channel)s AND not_before <= clock_timestamp()"""  # noqa: S608 - constants
_PROBE_SENT: LiteralString = """
UPDATE refusal SET heals_at = clock_timestamp() + make_interval(secs => %(heals)s)
WHERE channel = %(channel)s AND probe_id = %(id)s AND heals_at IS NULL"""
_PROBE_DELIVERED: LiteralString = "DELETE FROM refusal WHERE channel = %(channel)s AND probe_id = %(id)s"
_HEAL: LiteralString = "DELETE FROM refusal WHERE channel = %(channel)s AND heals_at <= clock_timestamp()"


class Breaker:
    """A provider that is down is asked by one message at a time, with growing pauses; the others wait untouched.

    Without it an outage would spend an attempt of every waiting message every few seconds.
    """

    def __init__(self, longest: float = 20.0) -> None:
        self._longest = longest
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_half_open(self) -> bool:
        """Whether the provider was down when last asked: then only one message may ask again."""
        return self._failures > 0

    def wait_seconds(self) -> float:
        """How long nobody may ask."""
        return max(0.0, self._open_until - time.monotonic())

    def failed(self, retry_after: float | None = None) -> float:
        """The provider is down; the seconds until it is asked again."""
        self._failures += 1
        pause = jittered(doubled(self._failures - 1, first=1.0, longest=self._longest))
        pause = max(pause, retry_after or 0.0)
        self._open_until = max(self._open_until, time.monotonic() + pause)
        return pause

    def doubted(self) -> None:
        """Nobody knows what it did with a message: until it answers again one message at a time, so that a provider
        that takes and hangs makes few messages ambiguous and not all."""
        self._failures = max(self._failures, 1)
        self._open_until = max(self._open_until, time.monotonic() + 1.0)

    def answered(self) -> None:
        """The provider took or judged a message: it is there."""
        self._failures = 0
        self._open_until = 0.0


async def suspend(conn: psycopg.AsyncConnection[Any], channel: str, code: str) -> None:
    """The provider said that it sends nothing of ours: from now on one message at a time asks."""
    await conn.execute(_SUSPEND, {**_PAUSES, "channel": channel, "code": code})


async def may_probe(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> bool:
    """Whether this message may ask now; no other may for the next pause."""
    return (await conn.execute(_PROBE, {**_PAUSES, "channel": channel, "id": notification_id})).rowcount > 0


async def probe_sent(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> None:
    """The provider sent a message, or judged its recipient: if it was the one that asked, all is well for now."""
    await conn.execute(_PROBE_SENT, {**_PAUSES, "channel": channel, "id": notification_id})


async def probe_delivered(conn: psycopg.AsyncConnection[Any], channel: str, notification_id: UUID) -> None:
    """A message arrived: if it was the one that asked, all is well."""
    await conn.execute(_PROBE_DELIVERED, {"channel": channel, "id": notification_id})


async def suspended_by(conn: psycopg.AsyncConnection[Any], channel: str) -> str | None:
    """The code by which the provider refuses us, None when it doesn't (any more)."""
    await conn.execute(_HEAL, {"channel": channel})
    row = await (await conn.execute("SELECT code FROM refusal WHERE channel = %s", [channel])).fetchone()
    return row[0] if row else None
