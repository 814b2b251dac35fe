"""What a status webhook means for the ledger.

Statuses come late, twice, out of order and for attempts whose answer we never saw. A message only ever moves forward:
`delivered` is final, `failed` counts only while nothing better is known.
"""

from typing import Any, LiteralString

import psycopg

from notifier.ledger.marked import changing
from notifier.sending.outcome import Refused
from notifier.whatsapp.errors import outcome_of
from notifier.whatsapp.webhook import StatusUpdate

# By our own id first: for a message whose answer was lost there is no wamid here yet (F85).
_MESSAGE: LiteralString = """n.channel = 'whatsapp' AND n.id = coalesce(%(id)s,
    (SELECT id FROM notification WHERE provider_message_id = %(wamid)s AND channel = 'whatsapp' LIMIT 1))"""
# The wamid of another attempt than the last known one says nothing of that one's failure.
_SAME_WAMID: LiteralString = (
    "(n.provider_message_id IS NULL OR %(wamid)s::text IS NULL OR n.provider_message_id = %(wamid)s)"
)

_SENT = changing(
    """state = 'sent', reason = NULL, sending_until = NULL, not_before = NULL,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    # Not a fresh `pending`: an admin's resend must not be called off by a late word about the attempt before.
    f"{_MESSAGE} AND (n.state IN ('sending', 'ambiguous'))",
)
_DELIVERED = changing(
    """state = 'delivered', reason = NULL, sending_until = NULL, not_before = NULL, delivered_at = %(at)s,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    f"{_MESSAGE} AND n.state IN ('sending', 'ambiguous', 'sent', 'failed')",
)
_FAILED = changing(
    """state = 'failed', reason = %(code)s, sending_until = NULL, not_before = NULL,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    f"{_MESSAGE} AND n.state IN ('sent', 'ambiguous') AND {_SAME_WAMID}",
)
# Told before the answer of the very call came back here: noted beside the attempt, for `record` to find. No version and
# no mark, the message is still `sending`. Without a next instant it is for good, as everywhere in the ledger.
_LOCK: LiteralString = f"SELECT 1 FROM notification n WHERE {_MESSAGE} FOR UPDATE"  # noqa: S608 - literals only
_NOTE: LiteralString = f"""
UPDATE notification n SET reason = %(code)s, provider_message_id = coalesce(%(wamid)s, n.provider_message_id),
    not_before = CASE WHEN %(for_good)s THEN NULL ELSE clock_timestamp() + interval '30 s' END
WHERE {_MESSAGE} AND n.state = 'sending'"""  # noqa: S608
# Accepted and then not delivered for a reason that passes: as if it had been refused for now (F84).
_AGAIN = changing(
    """state = 'pending', reason = %(code)s, sending_until = NULL, provider_message_id = NULL,
       not_before = clock_timestamp() + interval '30 s'""",
    f"{_MESSAGE} AND n.state IN ('sent', 'ambiguous') AND {_SAME_WAMID} AND n.attempts < 20",
)


async def apply_status(conn: psycopg.AsyncConnection[Any], update: StatusUpdate) -> bool:
    """Take one status over, within the caller's transaction; whether it was about a message of ours and changed it."""
    values: dict[str, Any] = {"id": update.notification_id, "wamid": update.wamid, "at": update.at}
    match update.status:
        case "sent":
            statement = _SENT
        case "delivered" | "read":
            statement = _DELIVERED
        case "failed":
            outcome = outcome_of(update.code if update.code is not None else -1, 400, None)
            values["code"] = outcome.code  # type: ignore[union-attr]
            values["for_good"] = isinstance(outcome, Refused)
            # Locked, so that it is `sending` for both statements or for neither.
            await conn.execute(_LOCK, values)
            if (await conn.execute(_NOTE, values)).rowcount > 0:
                return True
            statement = _FAILED if values["for_good"] else _AGAIN
    return (await conn.execute(statement, values)).rowcount > 0
