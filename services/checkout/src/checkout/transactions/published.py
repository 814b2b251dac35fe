"""What of Transactions goes to Kafka: their events, and each Transaction as it is now.

The state record is the read row, and of the stream who caused the last event, which payment paid, and when the
Transaction was over.
"""

from typing import LiteralString

from booking_contracts.topics import TRANSACTION_STATES, TRANSACTIONS
from booking_outbox import EventTopic, Published, StateTopic, instant

# LATERAL over an aggregate: one look at a stream by its index for each row, however many keys the planner expects.
# TransactionPaid v1 told no `settled_at`; it is read as `paid_at` (events.md).
_ROWS: LiteralString = f"""
SELECT t.id::text AS key, t.version::bigint AS version, stream.occurred_at, stream.metadata->>'actor' AS actor,
    stream.metadata->>'correlation_id' AS correlation_id, stream.last_id AS causation_id, stream.traceparent,
    json_strip_nulls(json_build_object(
        'transaction_id', t.id, 'user_id', t.user_id, 'practitioner_id', t.practitioner_id, 'status', t.status,
        'product', json_build_object('id', t.product_id, 'name', t.product_name, 'kind', t.kind, 'tier', t.tier,
            'duration_minutes', t.duration_minutes),
        'price', json_build_object('amount', t.amount, 'currency', t.currency), 'provider', t.provider,
        'reference', t.reference, 'request_limit_minutes', t.request_limit_minutes, 'auto_start', t.auto_start,
        'created_at', {instant("t.created_at")}, 'expires_at', {instant("t.expires_at")},
        'paid_at', {instant("t.paid_at")}, 'settled_at', coalesce(stream.paid->>'settled_at', stream.paid->>'paid_at'),
        'provider_payment_id', stream.paid->>'provider_payment_id', 'closed_at', {instant("stream.closed_at")},
        'refund', CASE WHEN t.refund_id IS NOT NULL THEN json_build_object('refund_id', t.refund_id,
            'status', t.refund_status, 'amount', json_build_object('amount', t.refund_amount, 'currency', t.currency),
            'requested_at', {instant("t.refund_requested_at")}, 'settled_at', {instant("t.refund_settled_at")}) END
    ))::text AS value
FROM transaction t CROSS JOIN LATERAL (
    SELECT max(occurred_at) FILTER (WHERE version = t.version) AS occurred_at,
        (max(metadata::text) FILTER (WHERE version = t.version))::json AS metadata,
        max(id::text) FILTER (WHERE version = t.version) AS last_id,
        max(traceparent) FILTER (WHERE version = t.version) AS traceparent,
        (max(data::text) FILTER (WHERE type = 'TransactionPaid'))::json AS paid,
        min(occurred_at) FILTER (WHERE type IN ('TransactionExpired', 'TransactionCanceled')) AS closed_at
    FROM events WHERE stream_id = t.id
) stream
WHERE t.id = ANY(%(keys)s::text[]::uuid[])
"""  # noqa: S608 - constants

STATES = StateTopic(TRANSACTION_STATES, _ROWS, all_keys="SELECT id::text AS key FROM transaction")

PUBLISHED: tuple[Published, ...] = (EventTopic(TRANSACTIONS, states=TRANSACTION_STATES), STATES)
