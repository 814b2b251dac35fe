"""Erase a person in one transaction; what is already gone stays gone, so doing it again is harmless (E4).

Deleted here: the contact, the profile of a practitioner, words by that person and on their Transactions, the bodies of
their payment notifications, held records of their keys. Rows of state topics stay, empty, with their version: it never
restarts. An erasure has ended when every tombstone is the last record of its key.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.errors import DeadlockDetected

from booking_contracts.directory import PersonErased
from booking_contracts.ids import partition_of
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS
from booking_inbox.log import log_of
from booking_people.copies import People
from booking_process.database import Database
from booking_store import Aggregate, AppendSql, Busy, Cause, CommandContext, handle
from checkout.people import store
from checkout.ranking import listing
from checkout.ranking.listing import Months

PERSON: Aggregate[UUID, None] = Aggregate(
    stream_type="person",
    initial=None,
    decide=lambda person_id, _state: (PersonErased(person_id=person_id),),
    evolve=lambda _state, _event, _at: None,
    append=AppendSql.load("checkout.people", "append.sql", topic=ERASURES.name),
    parameters=lambda _change: {},
)
"""A stream of erasures: each time it is asked for, everybody is told again."""
ATTEMPTS = 8
ERASED_NAME = "-"
LOOK_EVERY = 0.1  # seconds
PEOPLE = People("erasure", forgets=(CONTACTS, PRACTITIONERS))

_BY = sql.SQL("""actor = %(actor)s, correlation_id = %(correlation_id)s, causation_id = %(causation_id)s,
    traceparent = %(traceparent)s, updated_at = statement_timestamp()""")
_PERSON = sql.SQL("""
INSERT INTO person AS p (id, locale, timezone, claimed, version, erased_at, actor, correlation_id, causation_id,
    traceparent)
VALUES (%(id)s, 'id', %(zone)s, true, 1, %(at)s, %(actor)s, %(correlation_id)s, %(causation_id)s, %(traceparent)s)
ON CONFLICT (id) DO UPDATE SET name = NULL, email = NULL, phone = NULL, locale = excluded.locale,
    timezone = excluded.timezone, version = p.version + 1, erased_at = coalesce(p.erased_at, excluded.erased_at), {by}
""").format(by=_BY)
_PROFILE = sql.SQL("""
UPDATE practitioner SET name = %(name)s, photo_url = NULL, bio = NULL, profession = NULL, tiers = ARRAY[]::text[],
    active = false, version = version + 1, erased_at = coalesce(erased_at, %(at)s), {by}
WHERE id = %(id)s RETURNING 1
""").format(by=_BY)
_THEIRS = sql.SQL("SELECT id FROM transaction WHERE user_id = %(id)s")
_WORDS = sql.SQL("DELETE FROM free_text WHERE author_id = %(id)s OR transaction_id IN ({theirs})").format(
    theirs=_THEIRS
)
# In the order of their ids, so that nobody waits in a ring.
_BODIES = sql.SQL("""
UPDATE payment_notification SET body = NULL WHERE id IN (SELECT id FROM payment_notification
    WHERE body IS NOT NULL AND transaction_id IN ({theirs}) ORDER BY id FOR UPDATE)
""").format(theirs=_THEIRS)
_WAITING = "SELECT count(*) FROM outbox WHERE topic = ANY(%s) AND key = %s"
_AGAIN = "UPDATE erasure SET again_at = %(again_at)s WHERE person_id = %(id)s"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is known of an erasure. `again_at`: when the tombstones are sent once more; null once they were."""

    person_id: UUID
    erased_at: datetime
    again_at: datetime | None


async def erase(database: Database, person_id: UUID, cause: Cause, months: Months, resend_after: timedelta) -> Erasure:
    """Erase a person and tell every service."""
    at = datetime.now(UTC)
    for _ in range(ATTEMPTS):
        try:
            async with database.transaction() as conn:
                await forget(conn, person_id, cause, months, resend_after, at=at)
                await handle(conn, PERSON, person_id, person_id, CommandContext(cause, at))
                found = await find(conn, person_id)
        # Words may be a member's and an admin's who are erased at once: the victim of a deadlock wrote nothing.
        except (Busy, DeadlockDetected):
            continue
        if found is not None:
            return found
    raise Busy("others erase the same person")


async def forget(
    conn: psycopg.AsyncConnection[Any],
    person_id: UUID,
    cause: Cause,
    months: Months,
    resend_after: timedelta,
    *,
    at: datetime,
) -> None:
    """Delete what E4 names, without telling others; also what a replay of erasures does after a restore.

    Words that are just being written are waited for, and deleted here; whoever comes later waits in `is_erased` until
    this is committed, and writes none.
    """
    parameters = {
        "id": person_id,
        "name": ERASED_NAME,
        "zone": str(months.zone),
        "at": at,
        "again_at": at + resend_after,
        **asdict(cause),
    }
    async with PEOPLE.erasing(conn, person_id, at):
        await store.lock(conn, person_id)
        await conn.execute(_PERSON, parameters)
        profile = await (await conn.execute(_PROFILE, parameters)).fetchone()
        for statement in (_WORDS, _BODIES, _AGAIN):
            await conn.execute(statement, parameters)
        await listing.refresh(conn, [person_id], months)
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


async def send_again(database: Database, poke: Callable[[], None], *, limit: int = 100) -> int:
    """Send tombstones once more, when their time has come; how many.

    Kafka rolls a segment only on an append: on an idle partition the erased value would stay readable for ever.
    """
    async with database.transaction() as conn:
        found = await conn.execute(
            "UPDATE erasure SET again_at = NULL WHERE person_id = ANY(ARRAY(SELECT person_id FROM erasure"
            " WHERE again_at <= %s ORDER BY again_at LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING person_id",
            [datetime.now(UTC), limit],
        )
        ids = [row[0] for row in await found.fetchall()]
        if ids:
            await mark_tombstones(conn, ids)
    if ids:
        poke()
    return len(ids)


async def find(conn: psycopg.AsyncConnection[Any], person_id: UUID) -> Erasure | None:
    """Return an erasure."""
    found = await conn.execute("SELECT person_id, erased_at, again_at FROM erasure WHERE person_id = %s", [person_id])
    row = await found.fetchone()
    return Erasure(*row) if row else None


async def all_sent(database: Database, person_id: UUID, *, within: float) -> bool:
    """Wait until the relay has sent what was marked for this person; False if it hasn't within these seconds."""
    topics = [CONTACTS.name, PRACTITIONERS.name]
    try:
        async with asyncio.timeout(within):
            while True:
                async with database.autocommit() as conn:
                    row = await (await conn.execute(_WAITING, [topics, str(person_id)])).fetchone()
                if row == (0,):
                    return True
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return False


async def last_records(bootstrap: str, prefix: str, person_id: UUID) -> dict[str, bool]:
    """Return, for each topic that has records of this person, whether the last of them is a tombstone."""
    key = str(person_id).encode()
    found: dict[str, bool] = {}
    for topic in (CONTACTS, PRACTITIONERS):
        partition = partition_of(key, topic.partitions)
        async with log_of(topic, bootstrap, prefix, only=partition) as log:
            async for batch in log.until_end():
                for item in batch:
                    if item.record.key == key:
                        found[topic.name] = item.kind == "tombstone"
    return found
