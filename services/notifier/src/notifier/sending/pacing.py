"""How long to wait: for an address, after a refusal, and between two messages to one recipient.

WhatsApp allows about one message in six seconds to one person, and a burst that is paid back by waiting (131056): the
recipient's row in `lane` remembers until when the messages so far are paid (`paced_until`), and holds back what would
borrow more (`not_before`).
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString

import psycopg

from booking_process.backoff import doubled

_AFTER_MESSAGE: LiteralString = """
INSERT INTO lane AS l (recipient_id, channel, paced_until, not_before)
VALUES (%(recipient)s, %(channel)s, clock_timestamp() + make_interval(secs => %(pace)s),
    clock_timestamp() + make_interval(secs => %(pace)s) - make_interval(secs => %(borrowed)s))
ON CONFLICT (recipient_id, channel) DO UPDATE SET
    paced_until = greatest(l.paced_until, clock_timestamp()) + make_interval(secs => %(pace)s),
    not_before = greatest(l.not_before, greatest(l.paced_until, clock_timestamp()) + make_interval(secs => %(pace)s)
                                        - make_interval(secs => %(borrowed)s))"""
_AFTER_REFUSAL: LiteralString = """
INSERT INTO lane AS l (recipient_id, channel, paced_until, not_before)
VALUES (%(recipient)s, %(channel)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(pause)s))
ON CONFLICT (recipient_id, channel) DO UPDATE SET not_before = greatest(l.not_before, excluded.not_before)"""
_HOLD_BACK: LiteralString = """
UPDATE notification n SET not_before = l.not_before FROM lane l
WHERE l.recipient_id = %(recipient)s AND l.channel = %(channel)s AND l.not_before > clock_timestamp()
  AND n.recipient_id = l.recipient_id AND n.channel = l.channel AND n.state = 'pending'
  AND n.not_before < l.not_before"""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits of one channel. All of them delay only; none drops a message but `give_up_after`, which records it."""

    send_timeout: float = 60.0
    """Seconds that one whole send may take (F81). Generous: giving up on a slow server makes the message ambiguous."""
    pace: float = 0.0
    """Seconds between two messages to one recipient; WhatsApp allows about one in six seconds (131056)."""
    burst: int = 1
    """How many may leave at once before the pace counts."""
    address_wait: timedelta = timedelta(minutes=15)
    """How long a missing address is waited for (N5)."""
    ambiguous_wait: timedelta = timedelta(seconds=5)
    """How long the provider's own status is waited for before the one more try (F85)."""
    give_up_after: timedelta = timedelta(hours=72)
    """A recipient refused with "not now" for so long is recorded as failed."""
    lease: float = 15.0
    """Seconds without a sign of its worker after which an attempt without a record counts as a crash (F86)."""
    first_backoff: float = 5.0
    recover_every: float = 5.0
    """Seconds between two looks for attempts without an end, and for a channel that its provider has suspended."""

    def backoff(self, attempts: int, age: timedelta, *, retry_after: float | None = None) -> float:
        """Seconds until this recipient is tried again: 5, 10, 20, ..., a minute at first, a quarter after an hour.

        Never less than the provider asked for.
        """
        cap = 55.0 if age < timedelta(hours=1) else 900.0
        delay = jittered(doubled(attempts - 1, first=self.first_backoff, longest=cap))
        return max(delay, retry_after or 0.0)


def jittered(seconds: float) -> float:
    """At most so long, so that a crowd of refusals does not come back as one."""
    return seconds * random.uniform(0.8, 1.0)  # noqa: S311 - no secret


async def pace_after_message(
    conn: psycopg.AsyncConnection[Any], recipient: str, channel: str, policy: RetryPolicy
) -> None:
    """A message left: the recipient's next ones wait for `pace` seconds each, once `burst` have left at once."""
    lane = {"recipient": recipient, "channel": channel}
    await conn.execute(_AFTER_MESSAGE, {**lane, "pace": policy.pace, "borrowed": policy.pace * (policy.burst - 1)})
    await conn.execute(_HOLD_BACK, lane)


async def pause_after_refusal(
    conn: psycopg.AsyncConnection[Any], recipient: str, channel: str, *, seconds: float
) -> None:
    """The provider said "not now" for this recipient: neither what waits nor what comes is tried for a while."""
    lane = {"recipient": recipient, "channel": channel}
    await conn.execute(_AFTER_REFUSAL, {**lane, "pause": seconds})
    await conn.execute(_HOLD_BACK, lane)
