"""Writing down what an attempt came to. By attempt number: a status webhook or a recovery may have been there first."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from notifier.ledger.store import ledger_update
from notifier.sending.channel import Accepted, Later, Outcome, ProviderDown, Refused, Unknown
from notifier.sending.claim import Attempt
from notifier.sending.pacing import RetryPolicy

# The attempt's own row: still `sending`, or already called ambiguous by a recovery that thought this worker dead.
_MINE: LiteralString = "n.id = %(id)s AND n.attempts = %(number)s AND n.state IN ('sending', 'ambiguous')"
_AFTER: LiteralString = "clock_timestamp() + make_interval(secs => %(seconds)s)"

_SENT = ledger_update(
    "state = 'sent', reason = NULL, sending_until = NULL, not_before = NULL, provider_message_id = %(provider_id)s",
    _MINE,
)
# An earlier attempt may have been taken: that this one was not changes nothing about it.
_FAILED = ledger_update(
    """state = CASE WHEN n.ambiguities > 0 THEN 'ambiguous' ELSE 'failed' END, reason = %(code)s,
       sending_until = NULL, not_before = NULL""",
    _MINE,
)
# Not taken, for certain: back to where it was. An earlier attempt's ambiguity stays, and so does its one more try.
_AGAIN = ledger_update(
    f"""state = CASE WHEN n.ambiguities > 0 THEN 'ambiguous' ELSE 'pending' END, reason = %(code)s,
        sending_until = NULL,
        not_before = {_AFTER}""",
    "n.id = %(id)s AND n.attempts = %(number)s AND n.state = 'sending'",
)
_AMBIGUOUS = ledger_update(
    f"""state = 'ambiguous', reason = %(code)s, sending_until = NULL, ambiguities = n.ambiguities + 1,
        not_before = CASE WHEN n.ambiguities = 0 THEN {_AFTER} ELSE NULL END""",
    "n.id = %(id)s AND n.attempts = %(number)s AND n.state = 'sending'",
)
_CRASHED = ledger_update(
    f"""state = 'ambiguous', reason = 'worker_died', sending_until = NULL, ambiguities = n.ambiguities + 1,
        not_before = CASE WHEN n.ambiguities = 0 THEN {_AFTER} ELSE NULL END""",
    """n.channel = %(channel)s AND n.state = 'sending' AND n.sending_until < clock_timestamp()
       AND n.id <> ALL(%(alive)s)""",
)
# WhatsApp reported a failure while the attempt was still `sending` (whatsapp/webhook.py): that is its word, and holds.
_FAILURE_REPORTED: LiteralString = "n.state = 'sending' AND n.reason IS NOT NULL"
_AS_REPORTED: LiteralString = (
    "state = CASE WHEN n.not_before IS NULL THEN 'failed' ELSE 'pending' END, sending_until = NULL"
)
_FAILED_ALREADY = ledger_update(
    _AS_REPORTED,
    f"""n.id = %(id)s AND n.attempts = %(number)s AND {_FAILURE_REPORTED}
       AND (%(provider_id)s::text IS NULL OR n.provider_message_id = %(provider_id)s)""",
)
_CRASHED_AND_REPORTED = ledger_update(
    _AS_REPORTED,
    f"""n.channel = %(channel)s AND n.sending_until < clock_timestamp() AND n.id <> ALL(%(alive)s)
        AND {_FAILURE_REPORTED}""",
)
_STILL_SENDING: LiteralString = """
UPDATE notification SET sending_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = ANY(%(ids)s) AND state = 'sending'"""


async def record_outcome(
    conn: psycopg.AsyncConnection[Any],
    attempt: Attempt,
    outcome: Outcome,
    policy: RetryPolicy,
    *,
    pause: float,
) -> str:
    """Settle the attempt within the caller's transaction; the state that the message is in now.

    `pause` is how long the whole provider is left alone, for ProviderDown.
    """
    mine = {"id": attempt.id, "number": attempt.number}
    if isinstance(outcome, Accepted | Unknown) and await _failed_already(conn, attempt, outcome):
        return "failed"
    match outcome:
        case Accepted(provider_id):
            await conn.execute(_SENT, {**mine, "provider_id": provider_id})
            return "sent"
        case Refused(code):
            await conn.execute(_FAILED, {**mine, "code": code})
            return "failed"
        case Unknown(code):
            await conn.execute(_AMBIGUOUS, {**mine, "code": code, "seconds": policy.ambiguous_wait.total_seconds()})
            return "ambiguous"
        case Later(code) | ProviderDown(code, perhaps_this_one=True) if attempt.age > policy.give_up_after:
            await conn.execute(_FAILED, {**mine, "code": code})
            return "failed"
        case Later(code, retry_after):
            pause = policy.backoff(attempt.number, attempt.age, retry_after=retry_after)
        case ProviderDown(code, perhaps_this_one=True):
            pause = max(pause, policy.backoff(attempt.number, attempt.age))
        case ProviderDown(code):
            pass
    await conn.execute(_AGAIN, {**mine, "code": code, "seconds": pause})
    return "pending"


async def _failed_already(conn: psycopg.AsyncConnection[Any], attempt: Attempt, outcome: Accepted | Unknown) -> bool:
    """Whether the provider's webhook was faster than its answer, and said that this very message failed."""
    reported = getattr(outcome, "provider_message_id", None)
    values = {"id": attempt.id, "number": attempt.number, "provider_id": reported}
    return (await conn.execute(_FAILED_ALREADY, values)).rowcount > 0


async def still_sending(conn: psycopg.AsyncConnection[Any], ids: Sequence[UUID], policy: RetryPolicy) -> None:
    """A sign of life for attempts under way: a slow provider is no crash."""
    await conn.execute(_STILL_SENDING, {"ids": list(ids), "lease": policy.lease})


async def recover(conn: psycopg.AsyncConnection[Any], channel: str, alive: Sequence[UUID], policy: RetryPolicy) -> int:
    """Attempts of dead workers become ambiguous (F86), never the caller's own `alive` ones; how many there were."""
    values = {"channel": channel, "alive": list(alive), "seconds": policy.ambiguous_wait.total_seconds()}
    reported = (await conn.execute(_CRASHED_AND_REPORTED, values)).rowcount
    return reported + (await conn.execute(_CRASHED, values)).rowcount
