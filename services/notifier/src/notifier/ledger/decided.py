"""Writing down what one event asks for: in the transaction of its version row, once for ever (N3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from booking_contracts.decode import Decoded
from booking_contracts.ids import uuid7
from notifier.ledger.marked import changing, inserting
from notifier.people import preferences_of
from notifier.rules.channels import channels_to_write, language
from notifier.rules.decide import Wanted, decide
from notifier.rules.relevance import skipped_from_the_start

# A second decision of one message is refused by the database itself: a replay with reset version rows sends nothing.
_INSERT: LiteralString = inserting("""
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

_SUPERSEDE = changing(
    "state = 'skipped', reason = 'superseded', not_before = NULL",
    """n.session_id = %(session)s AND n.state = 'pending' AND n.fence_version IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM session s WHERE s.id = n.session_id
                       AND s.schedule_version = n.fence_version AND s.status = n.fence_status)""",
)


@dataclass(frozen=True, slots=True)
class _About:
    """What all messages of one event share."""

    cause: UUID
    at: datetime
    session: UUID | None
    transaction: UUID | None
    correlation_id: str
    traceparent: str | None


async def write_down(conn: psycopg.AsyncConnection[Any], record: Decoded) -> int:
    """The ledger rows of this event, within the caller's transaction; how many were new."""
    event, meta = record.event, record.meta
    wanted = decide(event, actor=meta.actor, at=meta.time) if event is not None else ()
    if event is None or not wanted:
        return 0
    cause = [meta.id, event.TYPE, event.TYPE_VERSION, event.to_json(), meta.actor, meta.time]
    if (await conn.execute(_CAUSE, cause)).rowcount == 0:
        # Decided before. Also where somebody chose one more channel since, or a release tells more people, a replay is
        # no news to them (N3).
        return 0
    about = _About(
        meta.id,
        meta.time,
        getattr(event, "session_id", None),
        getattr(event, "transaction_id", None),
        meta.correlation_id,
        meta.traceparent,
    )
    return await _insert(conn, about, wanted)


async def supersede(conn: psycopg.AsyncConnection[Any], session_id: UUID) -> None:
    """Skip the waiting timers of every version of the schedule but the present one (N4)."""
    await conn.execute(_SUPERSEDE, {"session": session_id})


async def _insert(conn: psycopg.AsyncConnection[Any], about: _About, wanted: Sequence[Wanted]) -> int:
    send_from = await _send_from(conn)
    people = await preferences_of(conn, {message.recipient_id for message in wanted})
    rows = [
        _row(
            about,
            message,
            channel,
            language(people[message.recipient_id][0], people[message.recipient_id][1]),
            send_from,
        )
        for message in wanted
        for channel in channels_to_write(
            message.recipient_id, people[message.recipient_id][0], is_timer=message.fence is not None
        )
    ]
    return await _execute(conn, rows)


def _row(about: _About, message: Wanted, channel: str, locale: str, send_from: datetime) -> dict[str, Any]:
    reason = skipped_from_the_start(about.at, message.due_at, send_from)
    return {
        "id": uuid7(),
        "cause": about.cause,
        "recipient": message.recipient_id,
        "channel": channel,
        "template": message.template,
        "locale": locale,
        "session": about.session,
        "transaction": about.transaction,
        "due_at": message.due_at,
        "fence_version": message.fence.schedule_version if message.fence else None,
        "fence_status": message.fence.status if message.fence else None,
        "useful_until": message.useful_until,
        "state": "skipped" if reason else "pending",
        "reason": reason,
        "correlation_id": about.correlation_id,
        "traceparent": about.traceparent,
    }


async def _execute(conn: psycopg.AsyncConnection[Any], rows: Sequence[dict[str, Any]]) -> int:
    cursor = conn.cursor()
    await cursor.executemany(_INSERT, rows)  # sent together, one wait for all
    return max(cursor.rowcount, 0)


async def _send_from(conn: psycopg.AsyncConnection[Any]) -> datetime:
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute("SELECT send_from FROM installation")
    row = await cursor.fetchone()
    assert row is not None, "the migration writes the row"
    return row["send_from"]
