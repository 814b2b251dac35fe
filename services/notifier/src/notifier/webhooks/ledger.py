"""What endpoints are told: one row for each event and endpoint, planned in the transaction of the event's version row.

Whatever is redelivered, replayed or rebuilt finds its row and tells nobody twice. Rows are kept for 31 days; an event
that is 30 days old is told no more, so a replay of everything finds either the row or that rule.
"""

from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.ids import uuid7
from notifier.webhooks.events import TEST_TYPE, WebhookEventType, body_of, test_body, type_of, types_of

_OFFERED = frozenset(WebhookEventType)

# Events of the time before an endpoint's registration are none of its business; clocks may differ by some minutes.
_PLAN: LiteralString = """
WITH wanted AS (
    SELECT e.id FROM webhook_endpoint e
    WHERE e.status <> 'deleted' AND %(types)s::text[] && e.event_types
      AND %(occurred_at)s >= e.created_at - interval '5 minutes'
      AND %(occurred_at)s > clock_timestamp() - interval '30 days'),
kept AS (
    INSERT INTO webhook_event (id, type, body, created_at)
    SELECT %(event)s, %(type)s, %(body)s, clock_timestamp() WHERE EXISTS (SELECT FROM wanted)
    ON CONFLICT DO NOTHING)
INSERT INTO webhook_delivery (id, endpoint_id, event_id, status, not_before, created_at, traceparent)
SELECT uuidv7(), w.id, %(event)s, 'pending', clock_timestamp(), clock_timestamp(), %(traceparent)s FROM wanted w
ON CONFLICT ON CONSTRAINT webhook_delivery_once DO NOTHING"""

_TEST_EVENT: LiteralString = """
INSERT INTO webhook_event (id, type, body, created_at) VALUES (%s, %s, %s, clock_timestamp())"""
_TEST: LiteralString = """
INSERT INTO webhook_delivery (id, endpoint_id, event_id, status, not_before, created_at)
VALUES (%s, %s, %s, 'pending', clock_timestamp(), clock_timestamp())"""

_AGAIN: LiteralString = """
UPDATE webhook_delivery SET status = 'pending', tries = 0, first_tried_at = NULL, not_before = clock_timestamp(),
    delivered_at = NULL, version = version + 1
WHERE id = %s AND status <> 'sending'"""
_WAITING_ONES: LiteralString = """
UPDATE webhook_delivery SET tries = 0, first_tried_at = NULL, not_before = clock_timestamp(), version = version + 1
WHERE endpoint_id = %s AND status = 'pending'"""

_OLD: LiteralString = """
DELETE FROM webhook_delivery WHERE id = ANY(ARRAY(
    SELECT id FROM webhook_delivery WHERE id < uuidv7(interval '-31 days') AND status <> 'sending'
    ORDER BY id LIMIT 1000))"""
_OF_DELETED: LiteralString = """
DELETE FROM webhook_delivery WHERE id = ANY(ARRAY(
    SELECT d.id FROM webhook_endpoint e JOIN webhook_delivery d ON d.endpoint_id = e.id
    WHERE e.status = 'deleted' AND d.status <> 'sending' LIMIT 1000))"""
# Not at once: a plan that has just seen it may be about to write a row for it.
_DELETED: LiteralString = """
DELETE FROM webhook_endpoint e WHERE e.status = 'deleted' AND e.not_before < clock_timestamp()
    AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id)"""
_UNTOLD: LiteralString = """
DELETE FROM webhook_event WHERE id = ANY(ARRAY(
    SELECT v.id FROM webhook_event v WHERE v.created_at < clock_timestamp() - interval '32 days'
    AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.event_id = v.id) LIMIT 1000))"""


async def plan_deliveries(conn: psycopg.AsyncConnection[Any], record: Decoded) -> None:
    """Write down whom this event is told, within the transaction of its version row."""
    if record.event is None or (told := type_of(record)) not in _OFFERED:
        return
    await conn.execute(
        _PLAN,
        {
            "type": told,
            "types": types_of(record),
            "event": record.meta.id,
            "body": body_of(record),
            "occurred_at": record.meta.time,
            "traceparent": record.meta.traceparent,
        },
    )


async def plan_test(conn: psycopg.AsyncConnection[Any], endpoint_id: UUID) -> UUID:
    """Write down a test of one endpoint; the delivery's id."""
    row = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    event_id, delivery_id = uuid7(), uuid7()
    await conn.execute(_TEST_EVENT, [event_id, TEST_TYPE, test_body(endpoint_id, row[0])])
    await conn.execute(_TEST, [delivery_id, endpoint_id, event_id])
    return delivery_id


async def deliver_again(conn: psycopg.AsyncConnection[Any], delivery_id: UUID) -> None:
    """From the beginning of the schedule, with the same `webhook-id`. Nothing that is under way."""
    await conn.execute(_AGAIN, [delivery_id])


async def release(conn: psycopg.AsyncConnection[Any], endpoint_id: UUID) -> None:
    """What waited for an endpoint that is enabled again leaves now, from the beginning of the schedule."""
    await conn.execute(_WAITING_ONES, [endpoint_id])


async def purge(conn: psycopg.AsyncConnection[Any]) -> int:
    """Deletes what is old, and what belongs to deleted endpoints, a thousand rows of each at most; how many."""
    gone = 0
    for statement in (_OLD, _OF_DELETED, _DELETED, _UNTOLD):
        gone += (await conn.execute(statement)).rowcount
    return gone
