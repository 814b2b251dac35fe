"""The ledger: one row per (event, recipient, channel, template), planned once for ever (N3), with every step it takes.

A change of a row and its mark for the topic are one statement: neither exists without the other.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composed, Literal

from booking_contracts.decode import Decoded
from booking_contracts.ids import uuid7
from booking_contracts.topics import NOTIFICATIONS
from booking_outbox import StateTopic
from booking_web.languages import language_for
from notifier.rules import ADMINS, Preferences, channels_to_write, messages_for, skipped_from_the_start


def ledger_insert(insert: LiteralString) -> bytes:
    """The INSERT of ledger rows, with a mark for each row really written. The cursor's rowcount is their number."""
    return _with_marks(SQL("{} RETURNING id").format(SQL(insert)))


def ledger_update(assignments: LiteralString, where: LiteralString) -> bytes:
    """An UPDATE of ledger rows `n` that raises their version and marks them. The cursor's rowcount is their number."""
    update = SQL("""
        UPDATE notification n SET {}, version = n.version + 1, changed_at = clock_timestamp()
        WHERE {} RETURNING n.id""")
    return _with_marks(update.format(SQL(assignments), SQL(where)))


def _with_marks(change: Composed) -> bytes:
    statement = SQL("WITH changed AS ({}) INSERT INTO outbox (topic, key) SELECT {}, id::text FROM changed")
    return statement.format(change, Literal(NOTIFICATIONS.name)).as_bytes()


# A second plan of one message is refused by the database itself: a replay with reset version rows sends nothing.
_INSERT = ledger_insert("""
    INSERT INTO notification (id, cause_event_id, recipient_id, channel, template, locale, session_id, transaction_id,
        due_at, fence_version, fence_status, useful_until, state, reason, queued_at, not_before, changed_at,
        correlation_id, traceparent)
    VALUES (%(id)s, %(cause)s, %(recipient)s, %(channel)s, %(template)s, %(locale)s, %(session)s, %(transaction)s,
        %(due_at)s, %(fence_version)s, %(fence_status)s, %(useful_until)s, %(state)s, %(reason)s, clock_timestamp(),
        CASE WHEN %(state)s = 'skipped' THEN NULL
             ELSE greatest(%(due_at)s, (SELECT not_before FROM lane
                                        WHERE recipient_id = %(recipient)s AND channel = %(channel)s)) END,
        clock_timestamp(), %(correlation_id)s, %(traceparent)s)
    ON CONFLICT ON CONSTRAINT notification_once DO NOTHING""")

_CAUSE: LiteralString = """
    INSERT INTO cause (event_id, type, type_version, data, actor, occurred_at)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""

_SUPERSEDE = ledger_update(
    "state = 'skipped', reason = 'superseded', not_before = NULL",
    """n.session_id = %(session)s AND n.state = 'pending' AND n.fence_version IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM session s WHERE s.id = n.session_id
                       AND s.schedule_version = n.fence_version AND s.status = n.fence_status)""",
)

_WIDEN = ledger_insert("""
    INSERT INTO notification (id, cause_event_id, recipient_id, channel, template, locale, session_id, transaction_id,
        due_at, fence_version, fence_status, useful_until, state, queued_at, not_before, changed_at, correlation_id,
        traceparent)
    SELECT uuidv7(), n.cause_event_id, n.recipient_id, w.channel, n.template, n.locale, n.session_id, n.transaction_id,
        n.due_at, n.fence_version, n.fence_status, n.useful_until, 'pending', clock_timestamp(), n.due_at,
        clock_timestamp(), n.correlation_id, n.traceparent
    FROM notification n CROSS JOIN unnest(%(channels)s::text[]) w(channel)
    WHERE n.recipient_id = %(recipient)s AND n.state = 'pending' AND n.fence_version IS NOT NULL
      AND n.due_at > clock_timestamp()
    ON CONFLICT ON CONSTRAINT notification_once DO NOTHING""")

# The published step of a row as it is now. `pending` and `sending` are both "requested": a state topic may miss steps.
PUBLISHED = StateTopic(
    NOTIFICATIONS,
    """
    SELECT id::text AS key, version, changed_at AS occurred_at, correlation_id, cause_event_id::text AS causation_id,
           traceparent,
           CASE state WHEN 'sent' THEN 'NotificationSent' WHEN 'delivered' THEN 'NotificationDelivered'
                      WHEN 'failed' THEN 'NotificationFailed' WHEN 'ambiguous' THEN 'NotificationAmbiguous'
                      WHEN 'skipped' THEN 'NotificationSkipped' ELSE 'NotificationRequested' END AS type,
           jsonb_strip_nulls(jsonb_build_object('notification_id', id, 'recipient_id', recipient_id, 'channel', channel,
               'template', template, 'session_id', session_id, 'transaction_id', transaction_id) || CASE state
               WHEN 'sent' THEN jsonb_build_object('attempt', attempts, 'provider_message_id', provider_message_id)
               WHEN 'delivered' THEN jsonb_build_object('attempt', attempts,
                   'at', to_char(delivered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
               WHEN 'failed' THEN jsonb_build_object('attempt', attempts, 'code', reason)
               WHEN 'ambiguous' THEN jsonb_build_object('attempt', attempts, 'code', reason)
               WHEN 'skipped' THEN jsonb_build_object('attempt', attempts, 'reason', reason)
               ELSE jsonb_build_object('cause_event_id', cause_event_id, 'locale', locale,
                   'due_at', to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END)::text AS value
    FROM notification WHERE id = ANY(%(keys)s::uuid[])""",
    "SELECT id::text AS key FROM notification",
)


async def plan_messages(conn: psycopg.AsyncConnection[Any], record: Decoded) -> None:
    """Write down what this event asks for, within the transaction of its version row."""
    event, meta = record.event, record.meta
    messages = () if event is None else messages_for(event, actor=meta.actor, at=meta.time)
    if event is None or not messages:
        return
    cause = [meta.id, event.TYPE, event.TYPE_VERSION, event.to_json(), meta.actor, meta.time]
    if (await conn.execute(_CAUSE, cause)).rowcount == 0:
        # Planned before. Also where somebody chose one more channel since, or a release tells more people, a replay is
        # no news to them (N3).
        return
    send_from = await _send_from(conn)
    people = await _recipients(conn, {message.recipient_id for message in messages})
    rows: list[dict[str, Any]] = []
    for message in messages:
        preferences, locale = people[message.recipient_id]
        reason = skipped_from_the_start(meta.time, message.due_at, send_from)
        row = {
            "cause": meta.id,
            "recipient": message.recipient_id,
            "template": message.template,
            "locale": language_for(locale),
            "session": getattr(event, "session_id", None),
            "transaction": getattr(event, "transaction_id", None),
            "due_at": message.due_at,
            "fence_version": message.fence.schedule_version if message.fence else None,
            "fence_status": message.fence.status if message.fence else None,
            "useful_until": message.useful_until,
            "state": "skipped" if reason else "pending",
            "reason": reason,
            "correlation_id": meta.correlation_id,
            "traceparent": meta.traceparent,
        }
        by = channels_to_write(message.recipient_id, preferences, is_timer=message.fence is not None)
        rows += [{**row, "id": uuid7(), "channel": channel} for channel in by]
    await conn.cursor().executemany(_INSERT, rows)  # sent together, one wait for all


async def supersede_timers(conn: psycopg.AsyncConnection[Any], session_id: UUID) -> None:
    """Skip the waiting timers of every version of the schedule but the present one (N4)."""
    await conn.execute(_SUPERSEDE, {"session": session_id})


async def widen_timers(conn: psycopg.AsyncConnection[Any], person_id: UUID, channels: Sequence[str]) -> None:
    """Timers that were written down for one channel only also get the channel that was switched on since (N2)."""
    await conn.execute(_WIDEN, {"recipient": str(person_id), "channels": list(channels)})


async def _recipients(
    conn: psycopg.AsyncConnection[Any], recipients: Iterable[str]
) -> dict[str, tuple[Preferences, str | None]]:
    """Each recipient's preferences and the locale; the defaults for whom nothing is known yet."""
    found: dict[str, tuple[Preferences, str | None]] = dict.fromkeys(recipients, (Preferences(), None))
    ids = [UUID(recipient) for recipient in found if recipient != ADMINS]
    cursor = await conn.execute(
        """SELECT p.person_id, e.email, e.whatsapp, c.locale
           FROM unnest(%s::uuid[]) p(person_id)
           LEFT JOIN preference e USING (person_id) LEFT JOIN contact c USING (person_id)""",
        [ids],
    )
    async for person_id, email, whatsapp, locale in cursor:
        preferences = Preferences() if email is None else Preferences(email, whatsapp)
        found[str(person_id)] = (preferences, locale)
    return found


async def _send_from(conn: psycopg.AsyncConnection[Any]) -> datetime:
    row = await (await conn.execute("SELECT send_from FROM installation")).fetchone()
    assert row is not None, "the migration writes the row"
    return row[0]
