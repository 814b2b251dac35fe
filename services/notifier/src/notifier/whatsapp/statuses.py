"""What a status webhook means for the ledger.

Statuses come late, twice, out of order and for attempts whose answer we never saw. A message only ever moves forward:
`delivered` is final, `failed` counts only while nothing better is known.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, LiteralString

import psycopg

from notifier.ledger.store import ledger_update
from notifier.sending import refusal
from notifier.sending.outcome import ProviderDown, Refused
from notifier.whatsapp.errors import outcome_of
from notifier.whatsapp.webhook import StatusUpdate

# By our own id first: for a message whose answer was lost there is no wamid here yet (F85).
_MESSAGE: LiteralString = """n.channel = 'whatsapp' AND n.id = coalesce(%(id)s,
    (SELECT id FROM notification WHERE provider_message_id = %(wamid)s AND channel = 'whatsapp' LIMIT 1))"""
# The wamid of another attempt than the last known one says nothing of that one's failure.
_SAME_WAMID: LiteralString = (
    "(n.provider_message_id IS NULL OR %(wamid)s::text IS NULL OR n.provider_message_id = %(wamid)s)"
)

_SENT = ledger_update(
    """state = 'sent', reason = NULL, sending_until = NULL, not_before = NULL,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    # Not a fresh `pending`: an admin's resend must not be called off by a late word about the attempt before.
    f"{_MESSAGE} AND (n.state IN ('sending', 'ambiguous'))",
)
_DELIVERED = ledger_update(
    """state = 'delivered', reason = NULL, sending_until = NULL, not_before = NULL, delivered_at = %(at)s,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    f"{_MESSAGE} AND n.state IN ('sending', 'ambiguous', 'sent', 'failed')",
)
# What a failure after acceptance comes to. For good: this recipient, or this message; after so many tries; or after so
# long. Else it is tried again, as if it had been refused for now (F84), later and later.
_ENDS: LiteralString = """(%(for_good)s OR (NOT %(us)s AND n.attempts >= %(most)s)
    OR greatest(n.due_at, n.queued_at) < clock_timestamp() - %(give_up)s::interval)"""
_LATER: LiteralString = "clock_timestamp() + make_interval(secs => least(5 * 2 ^ least(n.attempts - 1, 10), 900))"
_FAILED = ledger_update(
    f"""state = CASE WHEN {_ENDS} THEN 'failed' ELSE 'pending' END, reason = %(code)s, sending_until = NULL,
       not_before = CASE WHEN {_ENDS} THEN NULL ELSE {_LATER} END,
       provider_message_id = CASE WHEN {_ENDS} THEN coalesce(%(wamid)s, n.provider_message_id) END""",
    f"{_MESSAGE} AND n.state IN ('sent', 'ambiguous') AND {_SAME_WAMID}",
)
# Told before the answer of the very call came back here: noted beside the attempt, for `record` to find. No version and
# no mark, the message is still `sending`. Without a next instant it is for good, as everywhere in the ledger.
_LOCK: LiteralString = f"SELECT 1 FROM notification n WHERE {_MESSAGE} FOR UPDATE"  # noqa: S608 - literals only
_NOTE: LiteralString = f"""
UPDATE notification n SET reason = %(code)s, provider_message_id = coalesce(%(wamid)s, n.provider_message_id),
    not_before = CASE WHEN {_ENDS} THEN NULL ELSE {_LATER} END
WHERE {_MESSAGE} AND n.state = 'sending'"""  # noqa: S608
_IS_PRESENT: LiteralString = f"SELECT n.id FROM notification n WHERE {_MESSAGE} AND {_SAME_WAMID}"  # noqa: S608
MOST_TRIES = 8
"""So often a message is handed over that WhatsApp takes and then fails for a reason that passes: over ten minutes."""


async def apply_status(conn: psycopg.AsyncConnection[Any], update: StatusUpdate, give_up_after: timedelta) -> bool:
    """Take one status over, within the caller's transaction; whether it was about a message of ours and changed it.

    A failure that is about our account refuses us on the whole channel (`sending/refusal.py`); a message that gets
    through proves that it does no more.
    """
    values: dict[str, Any] = {"id": update.notification_id, "wamid": update.wamid, "at": update.at}
    match update.status:
        case "failed":
            return await _failed(conn, update, values, give_up_after)
        case "sent":
            await _proves(conn, values, refusal.sent)
            statement = _SENT
        case "delivered" | "read":
            await _proves(conn, values, refusal.delivered)
            statement = _DELIVERED
    return (await conn.execute(statement, values)).rowcount > 0


async def _failed(
    conn: psycopg.AsyncConnection[Any], update: StatusUpdate, values: dict[str, Any], give_up_after: timedelta
) -> bool:
    # Without a code it failed all the same, and nobody knows why: for good.
    outcome = outcome_of(update.code, 400, None) if update.code is not None else Refused("whatsapp_failed")
    us = isinstance(outcome, ProviderDown) and outcome.alarm
    values["code"] = outcome.code  # type: ignore[union-attr]
    values |= {"for_good": isinstance(outcome, Refused), "us": us, "most": MOST_TRIES, "give_up": give_up_after}
    if isinstance(outcome, Refused):
        await _proves(conn, values, refusal.sent)
    # Locked, so that it is `sending` for both statements or for neither.
    await conn.execute(_LOCK, values)
    known = (await conn.execute(_NOTE, values)).rowcount > 0 or (await conn.execute(_FAILED, values)).rowcount > 0
    if known and us:
        await refusal.refused(conn, "whatsapp", values["code"])
    return known


async def _proves(
    conn: psycopg.AsyncConnection[Any], values: dict[str, Any], what: Callable[..., Awaitable[None]]
) -> None:
    """Tell of the message that it got through, by its present attempt."""
    row = await (await conn.execute(_IS_PRESENT, values)).fetchone()
    if row is not None:
        await what(conn, "whatsapp", row[0])
