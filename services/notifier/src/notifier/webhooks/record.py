"""Writing down what a try came to, by its number: a recovery that thought its worker dead may have been there first.

A delivery that failed at its last try is `failed`, where others got through to its endpoint meanwhile: it is this one
that the receiver will not have. Where nothing did, it is the endpoint that is disabled, and what waits for it, this one
included, waits until somebody enables it. The endpoint's row is locked before any delivery's, here as everywhere.
"""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_process.backoff import doubled_sql
from notifier.webhooks.claim import Attempt
from notifier.webhooks.post import Delivered, Failed, Outcome
from notifier.webhooks.schedule import Schedule

_ATTEMPT: LiteralString = """
UPDATE webhook_attempt SET ended_at = clock_timestamp(), status_code = %(status_code)s, reason = %(reason)s
WHERE delivery_id = %(id)s AND number = %(number)s"""

_WELL: LiteralString = """
UPDATE webhook_endpoint SET failing_since = NULL, failures = 0, not_before = clock_timestamp()
WHERE id = %(endpoint)s AND failing_since IS NOT NULL"""
_DELIVERED: LiteralString = """
UPDATE webhook_delivery SET status = 'delivered', reason = NULL, status_code = %(status_code)s, sending_until = NULL,
    delivered_at = clock_timestamp(), version = version + 1
WHERE id = %(id)s AND attempts = %(number)s AND status IN ('sending', 'pending')"""

_FAILING: LiteralString = f"""
UPDATE webhook_endpoint SET failures = failures + 1, failing_since = coalesce(failing_since, %(at)s),
    not_before = greatest(not_before, clock_timestamp() + make_interval(secs =>
        greatest({doubled_sql("failures")}, %(retry_after)s)))
WHERE id = %(endpoint)s RETURNING failing_since"""  # noqa: S608 - constants
_DISABLE: LiteralString = """
UPDATE webhook_endpoint SET status = 'disabled', disabled_reason = %(why)s, disabled_at = clock_timestamp(),
    version = version + 1
WHERE id = %(endpoint)s AND status = 'enabled'"""
_NOT_DELIVERED: LiteralString = """
UPDATE webhook_delivery SET status = %(status)s, reason = %(reason)s, status_code = %(status_code)s,
    sending_until = NULL, not_before = clock_timestamp() + make_interval(secs => %(wait)s), version = version + 1
WHERE id = %(id)s AND attempts = %(number)s AND status = 'sending'"""

# The try was ours to lose: it does not count, and the delivery is due again at once.
_CRASHED: LiteralString = """
WITH dead AS (
    UPDATE webhook_delivery d SET status = 'pending', tries = d.tries - 1, reason = 'worker_died', sending_until = NULL,
        not_before = clock_timestamp(), version = d.version + 1
    WHERE d.status = 'sending' AND d.sending_until < clock_timestamp() AND d.id <> ALL(%(alive)s)
    RETURNING d.id, d.attempts)
UPDATE webhook_attempt a SET reason = 'worker_died' FROM dead
WHERE a.delivery_id = dead.id AND a.number = dead.attempts"""


async def record_outcome(
    conn: psycopg.AsyncConnection[Any], attempt: Attempt, outcome: Outcome, schedule: Schedule
) -> str:
    """Settle the try within the caller's transaction: `delivered`, `pending` (again later), `failed`, or `disabled`."""
    mine = {"id": attempt.id, "number": attempt.number, "endpoint": attempt.endpoint_id}
    reason = outcome.reason if isinstance(outcome, Failed) else None
    mine |= {"reason": reason, "status_code": outcome.status_code}
    if isinstance(outcome, Delivered):
        await conn.execute(_WELL, mine)
        await conn.execute(_DELIVERED, mine)
        status = "delivered"
    else:
        status = await _failed(conn, attempt, outcome, mine, schedule)
    await conn.execute(_ATTEMPT, mine)
    return status


async def _failed(
    conn: psycopg.AsyncConnection[Any], attempt: Attempt, outcome: Failed, mine: dict[str, Any], schedule: Schedule
) -> str:
    wish = outcome.retry_after or 0.0
    pauses = {"at": attempt.at, "first": schedule.first_pause, "longest": schedule.longest_pause, "retry_after": wish}
    row = await (await conn.execute(_FAILING, {**mine, **pauses})).fetchone()
    assert row is not None, "an endpoint outlives its deliveries"
    wait = schedule.wait(attempt.tries, retry_after=outcome.retry_after)
    nothing_got_through = row[0] <= attempt.first_tried_at
    disabled = outcome.gone or (wait is None and nothing_got_through)
    if disabled:
        await conn.execute(_DISABLE, {**mine, "why": "gone" if outcome.gone else "failing"})
    status = "failed" if wait is None and not disabled else "pending"
    await conn.execute(_NOT_DELIVERED, {**mine, "status": status, "wait": wait or 0.0})
    return "disabled" if disabled else status


async def recover(conn: psycopg.AsyncConnection[Any], alive: Sequence[UUID]) -> int:
    """Deliveries whose worker died are due again, never the caller's own `alive` ones; how many there were."""
    return (await conn.execute(_CRASHED, {"alive": list(alive)})).rowcount
