"""Claiming the next due delivery: committed as `sending`, with the row of its try, before anything leaves.

So a crash can never look like "not yet sent"; and as a receiver tells copies by the `webhook-id`, what has no record is
simply sent again. An endpoint that fails is asked by one delivery at a time, after growing pauses: a dead receiver with
a long queue takes neither all places nor all its deliveries' tries.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from notifier.webhooks.events import as_asked
from notifier.webhooks.schedule import Schedule
from notifier.webhooks.signing import signed_headers

# One row an endpoint, found by index however long its queue is: the one that has waited longest comes first.
_ENDPOINTS: LiteralString = """
SELECT e.id FROM webhook_endpoint e CROSS JOIN LATERAL (
    SELECT d.not_before FROM webhook_delivery d
    WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.not_before <= clock_timestamp()
    ORDER BY d.not_before, d.id LIMIT 1) due
WHERE e.status = 'enabled' AND e.not_before <= clock_timestamp()
  AND (SELECT count(*) FROM webhook_delivery o WHERE o.endpoint_id = e.id AND o.status = 'sending')
      < CASE WHEN e.failing_since IS NULL THEN %(under_way)s ELSE 1 END
ORDER BY due.not_before, e.id"""

_CLAIM: LiteralString = """
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
chosen AS MATERIALIZED (
    SELECT d.id FROM webhook_delivery d
    WHERE d.endpoint_id = %(endpoint)s AND d.status = 'pending' AND d.not_before <= clock_timestamp()
    ORDER BY d.not_before, d.id LIMIT 1 FOR UPDATE SKIP LOCKED),
claimed AS (
    UPDATE webhook_delivery d SET status = 'sending', attempts = d.attempts + 1, tries = d.tries + 1,
        first_tried_at = coalesce(d.first_tried_at, m.at), reason = NULL, status_code = NULL, version = d.version + 1,
        sending_until = m.at + make_interval(secs => %(lease)s)
    FROM chosen c, moment m WHERE d.id = c.id
    RETURNING d.id, d.endpoint_id, d.event_id, d.attempts, d.tries, d.first_tried_at, d.traceparent, m.at),
written AS (
    INSERT INTO webhook_attempt (delivery_id, number, started_at) SELECT c.id, c.attempts, c.at FROM claimed c)
SELECT c.*, e.url, e.secret, CASE WHEN e.previous_secret_until > c.at THEN e.previous_secret END AS previous_secret,
       e.event_types, v.type, v.body
FROM claimed c JOIN webhook_endpoint e ON e.id = c.endpoint_id JOIN webhook_event v ON v.id = c.event_id"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try on its way: committed as `sending`, to be posted now."""

    id: UUID
    number: int
    tries: int
    first_tried_at: datetime
    at: datetime
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    url: str
    headers: dict[str, str]
    body: str
    traceparent: str | None


async def claim_next(conn: psycopg.AsyncConnection[Any], schedule: Schedule) -> Attempt | None:
    """The next due delivery, by a statement that commits by itself; None if none is due or all that are, are taken."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(_ENDPOINTS, {"under_way": schedule.under_way})
    for endpoint in await cursor.fetchall():
        await cursor.execute(_CLAIM, {"endpoint": endpoint["id"], "lease": schedule.lease})
        if (row := await cursor.fetchone()) is not None:
            return _attempt(row)
    return None


def _attempt(row: dict[str, Any]) -> Attempt:
    secrets = [secret for secret in (row["secret"], row["previous_secret"]) if secret is not None]
    body = as_asked(row["type"], row["body"], row["event_types"])
    return Attempt(
        id=row["id"],
        number=row["attempts"],
        tries=row["tries"],
        first_tried_at=row["first_tried_at"],
        at=row["at"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["type"],
        url=row["url"],
        headers=signed_headers(secrets, str(row["event_id"]), row["at"], body),
        body=body,
        traceparent=row["traceparent"],
    )
