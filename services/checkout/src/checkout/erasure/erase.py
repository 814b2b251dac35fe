"""Erase a person in one transaction; what is already gone stays gone, so doing it again is harmless (E4).

Deleted here: the contact, the profile of a practitioner, words by that person and on their Transactions, the bodies of
their payment notifications, held records of their keys. Rows of state topics stay, empty, with their version: it never
restarts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import DeadlockDetected

from booking_contracts.directory import PersonErased
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS
from booking_inbox import forget_key
from booking_process.database import Database
from booking_store import AppendSql, CommandContext, StreamConflict, load
from booking_web.idempotency import forget_answers
from checkout.directory import people
from checkout.ranking import listing
from checkout.ranking.months import Months

STREAM_TYPE = "person"
APPEND = AppendSql.load("checkout.erasure", "append.sql", topic=ERASURES.name)
ATTEMPTS = 8
ERASED_NAME = "-"

# First of all locks: words that are just being written are waited for, and deleted below; whoever comes later waits in
# `is_erased` until this is committed, and writes none.
_HOLD_OFF = "SELECT pg_advisory_xact_lock(hashtextextended('erase:' || %(id)s::uuid, 0))"
_PERSON = """
INSERT INTO person AS p (id, locale, timezone, claimed, version, erased_at, actor, correlation_id, causation_id,
    traceparent)
VALUES (%(id)s, 'id', %(zone)s, true, 1, %(now)s, %(actor)s, %(correlation_id)s, %(causation_id)s, %(traceparent)s)
ON CONFLICT (id) DO UPDATE SET name = NULL, email = NULL, phone = NULL, locale = excluded.locale,
    timezone = excluded.timezone, version = p.version + 1, erased_at = coalesce(p.erased_at, excluded.erased_at),
    actor = excluded.actor, correlation_id = excluded.correlation_id, causation_id = excluded.causation_id,
    traceparent = excluded.traceparent, updated_at = statement_timestamp()
"""
_PROFILE = """
UPDATE practitioner SET name = %(name)s, photo_url = NULL, bio = NULL, profession = NULL, tiers = '{}',
    active = false, version = version + 1, erased_at = coalesce(erased_at, %(now)s), actor = %(actor)s,
    correlation_id = %(correlation_id)s,
    causation_id = %(causation_id)s, traceparent = %(traceparent)s, updated_at = statement_timestamp()
WHERE id = %(id)s RETURNING 1
"""
_THEIRS = "SELECT id FROM transaction WHERE user_id = %(id)s"
_WORDS = f"DELETE FROM free_text WHERE author_id = %(id)s OR transaction_id IN ({_THEIRS})"  # noqa: S608 - constants
# In the order of their ids, so that nobody waits in a ring.
_BODIES = (
    "UPDATE payment_notification SET body = NULL WHERE id IN (SELECT id FROM payment_notification"  # noqa: S608
    f" WHERE body IS NOT NULL AND transaction_id IN ({_THEIRS}) ORDER BY id FOR UPDATE)"
)
_NOTED = """
INSERT INTO erasure AS e (person_id, erased_at, again_at) VALUES (%(id)s, %(now)s, %(again_at)s)
ON CONFLICT (person_id) DO UPDATE SET again_at = excluded.again_at
"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is known of an erasure. `again_at`: when the tombstones are sent once more; null once they were."""

    person_id: UUID
    erased_at: datetime
    again_at: datetime | None


async def erase(
    database: Database, person_id: UUID, context: CommandContext, months: Months, resend_after: timedelta
) -> Erasure:
    """Erase a person and tell every service."""
    for _ in range(ATTEMPTS):
        try:
            async with database.transaction() as conn:
                await forget(conn, person_id, context, months, resend_after)
                await _tell(conn, person_id, context)
                found = await find(conn, person_id)
        # Words may be a member's and an admin's who are erased at once: the victim of a deadlock wrote nothing.
        except (StreamConflict, DeadlockDetected):
            continue
        if found is not None:
            return found
    raise StreamConflict("others erase the same person")


async def forget(
    conn: psycopg.AsyncConnection[Any],
    person_id: UUID,
    context: CommandContext,
    months: Months,
    resend_after: timedelta,
) -> None:
    """Delete what E4 names, without telling others; also what a replay of erasures does after a restore."""
    parameters = {
        "id": person_id,
        "name": ERASED_NAME,
        "zone": str(months.zone),
        "now": context.at,
        "again_at": context.at + resend_after,
        "actor": context.cause.actor,
        "correlation_id": context.cause.correlation_id,
        "causation_id": context.cause.causation_id,
        "traceparent": context.cause.traceparent,
    }
    await conn.execute(_HOLD_OFF, parameters)
    await people.lock(conn, person_id)
    await conn.execute(_PERSON, parameters)
    profile = await (await conn.execute(_PROFILE, parameters)).fetchone()
    for statement in (_WORDS, _BODIES, _NOTED):
        await conn.execute(statement, parameters)
    await listing.refresh(conn, [person_id], months)
    await forget_answers(conn, person_id)
    for topic in (CONTACTS, PRACTITIONERS):
        await forget_key(conn, topic.name, str(person_id))
    await mark_tombstones(conn, [person_id], profiles=profile is not None)


async def mark_tombstones(conn: psycopg.AsyncConnection[Any], ids: list[UUID], *, profiles: bool = True) -> None:
    """Have the relay send these rows as they are now: without a value."""
    await conn.execute(
        "INSERT INTO outbox (topic, key) SELECT %s, unnest(%s::text[])", [CONTACTS.name, [str(i) for i in ids]]
    )
    if profiles:
        await conn.execute(
            "INSERT INTO outbox (topic, key) SELECT %s, id::text FROM practitioner WHERE id = ANY(%s)",
            [PRACTITIONERS.name, ids],
        )


async def send_again(conn: psycopg.AsyncConnection[Any], now: datetime, *, limit: int = 100) -> int:
    """Send tombstones once more, when their time has come; in the caller's transaction.

    Kafka rolls a segment only on an append: on an idle partition the erased value would stay readable for ever.
    """
    found = await conn.execute(
        "UPDATE erasure SET again_at = NULL WHERE person_id = ANY(ARRAY(SELECT person_id FROM erasure"
        " WHERE again_at <= %s ORDER BY again_at LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING person_id",
        [now, limit],
    )
    ids = [row[0] for row in await found.fetchall()]
    if ids:
        await mark_tombstones(conn, ids)
    return len(ids)


async def find(conn: psycopg.AsyncConnection[Any], person_id: UUID) -> Erasure | None:
    """Return an erasure."""
    found = await conn.execute("SELECT person_id, erased_at, again_at FROM erasure WHERE person_id = %s", [person_id])
    row = await found.fetchone()
    return Erasure(*row) if row else None


async def _tell(conn: psycopg.AsyncConnection[Any], person_id: UUID, context: CommandContext) -> None:
    stored = await load(conn, person_id)
    await APPEND.run(
        conn,
        stream_type=STREAM_TYPE,
        stream_id=person_id,
        expected=stored[-1].version if stored else 0,
        events=[PersonErased()],
        cause=context.cause,
        occurred_at=context.at,
    )
