"""I13: what each consumer has taken against what its topics hold; I11: the messages that came of it.

A discarded record is a known difference and shown as such; a held one explains why its key lags.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from booking_contracts.decode import from_store
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, SESSIONS, TRANSACTIONS, Topic
from booking_ops.audit.section import LISTED, Difference, Progress, Section, rows
from booking_ops.audit.topics import identity, read_topic
from booking_ops.invariants import untaken
from notifier.rules import TABLE, messages_for

PATIENCE = 15.0  # seconds without a step: no lag any more, a stop
LOOK_AGAIN = 0.25
# Where what was taken differs from what the topic holds. Taken and no longer there: the topic was lost, in whole or in
# part; but a compacted topic forgets its tombstones.
_DIFFERING = sql.SQL("""
    SELECT key, coalesce(t.version, 0) AS published, coalesce(i.version, 0) AS taken,
           EXISTS (SELECT 1 FROM held h WHERE h.consumer = %(consumer)s AND h.topic = %(topic)s
                   AND h.key = coalesce(t.key, i.key) AND h.settled_at IS NULL) AS held
    FROM (SELECT key, max(version) AS version FROM audit_head GROUP BY key) t
    FULL JOIN (SELECT key, version FROM inbox WHERE consumer = %(consumer)s AND topic = %(topic)s) i USING (key)
    WHERE coalesce(t.version, 0) <> coalesce(i.version, 0) AND (t.key IS NOT NULL OR NOT %(compacted)s)""")
_LISTED = sql.SQL("{} ORDER BY key").format(_DIFFERING)
_BEHIND = sql.SQL("""
    SELECT count(*) AS behind, count(*) FILTER (WHERE held) AS held
    FROM ({}) d WHERE taken < published""").format(_DIFFERING)
_COUNTS = """
    SELECT (SELECT count(DISTINCT key) FROM audit_head) AS keys,
           count(*) FILTER (WHERE settled_at IS NULL) AS held,
           count(*) FILTER (WHERE outcome = 'discarded') AS discarded
    FROM held WHERE consumer = %(consumer)s AND topic = %(topic)s"""
_FOUND = {
    "held": ("{key}: version {published} is held, taken up to {taken}", "booking-ops held list"),
    "not taken": (
        "{key}: version {published} is not taken, taken up to {taken}",
        "wait for the lag to end, then look again",
    ),
    "ahead": ("{key}: taken up to version {taken}, and the topic ends at {published}", "booking-ops republish"),
}

READERS = {
    "checkout": {"checkout-sessions": (SESSIONS,)},
    "consultation": {"consultation": (TRANSACTIONS, PRACTITIONERS, CONTACTS, ERASURES)},
    "notifier": {"notifier": (TRANSACTIONS, SESSIONS, PRACTITIONERS, CONTACTS, ERASURES)},
    "calendar": {"calendar-people": (PRACTITIONERS, CONTACTS, ERASURES)},
}
"""Who reads which sequenced topics: a reader that never took anything has no row that would say so. The calendar's
versions of sessions are its rows' own (`copies`)."""


async def audit_consumer(
    url: str, bootstrap: str, consumer: str, topic: Topic, *, prefix: str = "", progress: Progress | None = None
) -> Section:
    """Compare one consumer's version rows with the heads of one topic, after its lag."""
    section = Section(f"{consumer} ← {topic.name}")
    params = {"consumer": consumer, "topic": topic.name, "compacted": topic.compacted}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute("CREATE TEMP TABLE audit_head (key text NOT NULL, version bigint NOT NULL)")
        async with conn.cursor().copy("COPY audit_head FROM STDIN") as copy:
            async for record in read_topic(bootstrap, prefix + topic.name, progress):
                row = _head(record)
                if row is not None:
                    await copy.write_row(row)
        await conn.execute("ANALYZE audit_head")
        await _behind_at_rest(conn, params)
        async for counts in rows(conn, "counts", _COUNTS, params):
            section.counts |= counts
        section.counts["behind"] = 0
        async for row in rows(conn, "differing", _LISTED, params):
            kind = untaken(row["published"], row["taken"], held=row["held"])
            if kind is not None:
                section.counts["behind"] += kind != "ahead"
                words, remedy = _FOUND[kind]
                section.differ("I13", words.format(**row), remedy)
    return section


async def _behind_at_rest(conn: psycopg.AsyncConnection[Any], params: dict[str, Any]) -> None:
    """Until the consumer has caught up, but for held keys, or has taken nothing for PATIENCE seconds."""
    least, since = -1, time.monotonic()
    while True:
        row: Any = await (await conn.execute(_BEHIND, params)).fetchone()
        behind, held = row
        if behind != least:
            least, since = behind, time.monotonic()
        if behind == held or time.monotonic() - since > PATIENCE:
            return
        await asyncio.sleep(LOOK_AGAIN)


def _head(record: Any) -> tuple[str, int] | None:
    """A record that can't be read has no version: the consumer holds it, and it is counted there."""
    event = identity(record)
    return (event.key, event.sequence) if event else None


# I11. What an event asks for is the notifier's own pure rule (N1), applied to the stored events again. That a message
# exists once is the ledger's unique constraint; here it is that none is missing and none was made up.
_BATCH = 1_000
_REMEDY = "a defect, or history before this notifier's database"
_CAUSES = """
    SELECT id, type, type_version, data::text, metadata ->> 'actor' AS actor, occurred_at FROM events
    WHERE type = ANY(%s) ORDER BY position"""
_LEDGER = "SELECT cause_event_id, recipient_id, template, due_at FROM notification WHERE cause_event_id = ANY(%s)"
# A provider that is down makes messages late for hours; whoever has one due for longer than this should know.
_LATE = """
    FROM notification WHERE state IN ('pending', 'sending', 'ambiguous')
      AND coalesce(sending_until, not_before) < now() - interval '15 minutes'"""
_HOW_MANY_LATE = f"SELECT count(*) {_LATE}"
_WHICH_LATE = f"SELECT id, template, channel, due_at {_LATE} ORDER BY due_at, id LIMIT {LISTED}"
_STATES = "SELECT state, count(*) FROM notification GROUP BY state ORDER BY state"
# Who switched every channel off gets no row. Only the present choice is kept, and since when (an erasure empties it):
# what happened after it was made by it, and of what happened before nobody knows the choice any more.
_CHOSEN = """
    SELECT person_id::text, NOT email AND NOT whatsapp AS silent, version > 1 AS changed, updated_at FROM preference
    WHERE (NOT email AND NOT whatsapp) OR version > 1"""


class _Chosen(NamedTuple):
    """Somebody whose choice may be why there is no message."""

    silent: bool | None
    changed: bool
    since: datetime

    def explains(self, occurred_at: datetime) -> str | None:
        """What it is counted as that an event of then has no message; None where that is a difference."""
        if self.silent:
            return "by choice of none"
        return "before another choice" if self.changed and occurred_at <= self.since else None


class _Stored(NamedTuple):
    """An event as its owner stored it."""

    id: UUID
    type: str
    type_version: int
    data: str
    actor: str
    occurred_at: datetime


async def audit_messages(notifier_url: str, owner_urls: Sequence[str]) -> Section:
    """Compare what all stored events ask for with the ledger."""
    section = Section(
        "messages asked for = ledger", {"asked for": 0, "by choice of none": 0, "before another choice": 0}
    )
    async with await psycopg.AsyncConnection.connect(notifier_url, autocommit=True) as ledger:
        rows = await (await ledger.execute(_CHOSEN)).fetchall()
        chosen = {person: _Chosen(*row) for person, *row in rows}
        causes = 0
        for url in owner_urls:
            async for batch in _stored(url):
                causes += await _compare(ledger, batch, chosen, section)
        row: Any = await (await ledger.execute("SELECT count(DISTINCT cause_event_id) FROM notification")).fetchone()
        if row[0] > causes:
            section.differ("I11", f"{row[0] - causes} causes in the ledger are no stored events", _REMEDY)
        section.counts |= dict(await (await ledger.execute(_STATES)).fetchall())
        await _late(ledger, section)
    return section


async def _late(ledger: psycopg.AsyncConnection[Any], section: Section) -> None:
    """Every message that is due leaves, or ends visibly."""
    counted: Any = await (await ledger.execute(_HOW_MANY_LATE.encode())).fetchone()
    found = await (await ledger.execute(_WHICH_LATE.encode())).fetchall()
    for id_, template, channel, due_at in found:
        what = f"{template} {id_} by {channel}: due since {due_at:%Y-%m-%d %H:%M} UTC and neither sent nor given up"
        section.differences.append(Difference("I11", what, "is the provider, or the notifier's worker, down?"))
    section.hidden += counted[0] - len(found)


async def _stored(url: str) -> AsyncIterator[list[_Stored]]:
    async with await psycopg.AsyncConnection.connect(url) as conn, conn.cursor("audit_messages") as cursor:
        await cursor.execute(_CAUSES, [[event.TYPE for event in TABLE]])
        while rows := await cursor.fetchmany(_BATCH):
            yield [_Stored(*row) for row in rows]


async def _compare(
    ledger: psycopg.AsyncConnection[Any], batch: Sequence[_Stored], chosen: Mapping[str, _Chosen], section: Section
) -> int:
    """Compare one batch; return how many of its events the ledger knows."""
    cursor = await ledger.execute(_LEDGER, [[stored.id for stored in batch]])
    found = {(cause, recipient, template): due async for cause, recipient, template, due in cursor}
    for stored in batch:
        event = from_store(stored.type, stored.type_version, stored.data)
        for wanted in messages_for(event, actor=stored.actor, at=stored.occurred_at):
            section.counts["asked for"] += 1
            due_at = found.get((stored.id, wanted.recipient_id, wanted.template))
            if due_at is not None:
                if due_at != wanted.due_at:
                    what = f"{wanted.template} to {wanted.recipient_id} is due at {due_at}, not {wanted.due_at}"
                    section.differ("I11", f"{stored.type} {stored.id}: {what}", _REMEDY)
                continue
            choice = chosen.get(wanted.recipient_id)
            if choice is not None and (why := choice.explains(stored.occurred_at)):
                section.counts[why] += 1
            else:
                section.differ(
                    "I11", f"{stored.type} {stored.id} has no {wanted.template} to {wanted.recipient_id}", _REMEDY
                )
    return len({cause for cause, _, _ in found})
