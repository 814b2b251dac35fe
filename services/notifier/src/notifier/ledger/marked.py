"""A change of a ledger row and its mark for the topic are one statement: neither exists without the other."""

from typing import LiteralString

from booking_contracts.topics import NOTIFICATIONS
from booking_outbox.topics import StateTopic

TOPIC: LiteralString = "booking.notifier.notifications.v1"
assert NOTIFICATIONS.name == TOPIC  # a statement's text must be literal; this holds the two together


def inserting(insert: LiteralString) -> LiteralString:
    """The INSERT of ledger rows, with a mark for each row really written. The cursor's rowcount is their number."""
    return f"WITH changed AS ({insert} RETURNING id) {_MARK}"


def changing(assignments: LiteralString, where: LiteralString) -> LiteralString:
    """An UPDATE of ledger rows `n` that raises their version and marks them. The cursor's rowcount is their number."""
    always: LiteralString = "version = n.version + 1, changed_at = clock_timestamp()"
    update: LiteralString = f"UPDATE notification n SET {assignments}, {always} WHERE {where}"  # noqa: S608
    return f"WITH changed AS ({update} RETURNING n.id) {_MARK}"


_MARK: LiteralString = f"INSERT INTO outbox (topic, key) SELECT '{TOPIC}', id::text FROM changed"  # noqa: S608
_INSTANT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# The published step of a row as it is now. `pending` and `sending` are both "requested": a state topic may miss steps.
_QUERY = f"""
SELECT id::text AS key, version, changed_at AS occurred_at, correlation_id, cause_event_id::text AS causation_id,
       traceparent,
       CASE state WHEN 'sent' THEN 'NotificationSent' WHEN 'delivered' THEN 'NotificationDelivered'
                  WHEN 'failed' THEN 'NotificationFailed' WHEN 'ambiguous' THEN 'NotificationAmbiguous'
                  WHEN 'skipped' THEN 'NotificationSkipped' ELSE 'NotificationRequested' END AS type,
       jsonb_strip_nulls(jsonb_build_object('notification_id', id) || CASE state
           WHEN 'sent' THEN jsonb_build_object('attempt', attempts, 'provider_message_id', provider_message_id)
           WHEN 'delivered' THEN jsonb_build_object('attempt', attempts, 'at', {_INSTANT.format("delivered_at")})
           WHEN 'failed' THEN jsonb_build_object('attempt', attempts, 'code', reason)
           WHEN 'ambiguous' THEN jsonb_build_object('attempt', attempts, 'code', reason)
           WHEN 'skipped' THEN jsonb_build_object('attempt', attempts, 'reason', reason)
           ELSE jsonb_build_object('cause_event_id', cause_event_id, 'recipient_id', recipient_id, 'channel', channel,
               'template', template, 'locale', locale, 'session_id', session_id, 'transaction_id', transaction_id,
               'due_at', {_INSTANT.format("due_at")}) END)::text AS value
FROM notification WHERE id = ANY(%(keys)s::uuid[])
"""  # noqa: S608 - literals only

PUBLISHED = StateTopic(NOTIFICATIONS, _QUERY, "SELECT id::text AS key FROM notification")
