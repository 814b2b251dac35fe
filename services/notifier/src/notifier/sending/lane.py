"""One recipient's pace on one channel: after a message, and after a refusal "not now".

WhatsApp allows about one message in six seconds to one person, and a burst that is paid back by waiting (131056): the
lane remembers until when the messages so far are paid (`paced_until`), and holds back what would borrow more.
"""

from typing import Any, LiteralString

import psycopg

_NOW: LiteralString = "clock_timestamp()"
_PACE: LiteralString = "make_interval(secs => %(pace)s)"
_BORROWED: LiteralString = "make_interval(secs => %(borrowed)s)"

_SENT: LiteralString = f"""
INSERT INTO lane AS l (recipient_id, channel, paced_until, not_before)
VALUES (%(recipient)s, %(channel)s, {_NOW} + {_PACE}, {_NOW} + {_PACE} - {_BORROWED})
ON CONFLICT (recipient_id, channel) DO UPDATE SET
    paced_until = greatest(l.paced_until, {_NOW}) + {_PACE},
    not_before = greatest(l.not_before, greatest(l.paced_until, {_NOW}) + {_PACE} - {_BORROWED})"""  # noqa: S608
_REFUSED: LiteralString = f"""
INSERT INTO lane AS l (recipient_id, channel, paced_until, not_before)
VALUES (%(recipient)s, %(channel)s, {_NOW}, {_NOW} + {_PACE})
ON CONFLICT (recipient_id, channel) DO UPDATE SET not_before = greatest(l.not_before, excluded.not_before)"""  # noqa: S608
_HOLD_BACK: LiteralString = f"""
UPDATE notification n SET not_before = l.not_before FROM lane l
WHERE l.recipient_id = %(recipient)s AND l.channel = %(channel)s AND l.not_before > {_NOW}
  AND n.recipient_id = l.recipient_id AND n.channel = l.channel AND n.state = 'pending'
  AND n.not_before < l.not_before"""  # noqa: S608


async def after_message(
    conn: psycopg.AsyncConnection[Any], recipient: str, channel: str, *, pace: float, burst: int
) -> None:
    """A message left: the recipient's next ones wait for `pace` seconds each, once `burst` have left at once."""
    if pace > 0:
        lane = {"recipient": recipient, "channel": channel, "pace": pace, "borrowed": pace * (burst - 1)}
        await conn.execute(_SENT, lane)
        await conn.execute(_HOLD_BACK, lane)


async def after_refusal(conn: psycopg.AsyncConnection[Any], recipient: str, channel: str, *, seconds: float) -> None:
    """The provider said "not now" for this recipient: neither what waits nor what comes is tried for a while."""
    lane = {"recipient": recipient, "channel": channel, "pace": seconds}
    await conn.execute(_REFUSED, lane)
    await conn.execute(_HOLD_BACK, lane)
