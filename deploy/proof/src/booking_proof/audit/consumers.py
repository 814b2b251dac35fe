"""I13: what each consumer has taken against what its topics hold, key by key.

A discarded record is a known difference and shown as such; a held one explains why its key lags.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg

from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, PREFERENCES, SESSIONS, TRANSACTIONS, Topic
from booking_proof.audit.section import LISTED, Difference, Progress, Section
from booking_proof.audit.topics import read_topic, told

PATIENCE = 15.0  # seconds without a step: no lag any more, a stop
LOOK_AGAIN = 0.25
_HELD = """EXISTS (SELECT 1 FROM held h WHERE h.consumer = %(consumer)s AND h.topic = %(topic)s AND h.key = t.key
                   AND h.settled_at IS NULL)"""
_BEHIND = """
    FROM (SELECT key, max(version) AS version FROM audit_head GROUP BY key) t
    LEFT JOIN inbox i ON i.consumer = %(consumer)s AND i.topic = %(topic)s AND i.key = t.key
    WHERE coalesce(i.version, 0) < t.version"""
_HOW_MANY = f"SELECT count(*), count(*) FILTER (WHERE {_HELD}) {_BEHIND}"
_WHICH = f"SELECT t.key, t.version, coalesce(i.version, 0), {_HELD} {_BEHIND} ORDER BY t.key LIMIT {LISTED}"
# Taken and no longer there: the topic was lost, in whole or in part. A compacted topic forgets its tombstones.
_AHEAD = """
    FROM inbox i LEFT JOIN (SELECT key, max(version) AS version FROM audit_head GROUP BY key) t ON t.key = i.key
    WHERE i.consumer = %(consumer)s AND i.topic = %(topic)s
      AND (i.version > t.version OR t.key IS NULL AND i.version > 0 AND NOT %(compacted)s)"""
_HOW_MANY_AHEAD = f"SELECT count(*) {_AHEAD}"
_WHICH_AHEAD = f"SELECT i.key, coalesce(t.version, 0), i.version {_AHEAD} ORDER BY i.key LIMIT {LISTED}"
_COUNTS = {
    "keys": "SELECT count(DISTINCT key) FROM audit_head",
    "held": "SELECT count(*) FROM held WHERE consumer = %(consumer)s AND topic = %(topic)s AND settled_at IS NULL",
    "discarded": """SELECT count(*) FROM held
        WHERE consumer = %(consumer)s AND topic = %(topic)s AND outcome = 'discarded'""",
}


READERS = {
    "checkout": {"checkout-sessions": (SESSIONS,)},
    "consultation": {"consultation": (TRANSACTIONS, PRACTITIONERS, CONTACTS, ERASURES)},
    "notifier": {"notifier": (TRANSACTIONS, SESSIONS, PRACTITIONERS, CONTACTS, ERASURES)},
    "calendar": {"calendar-projector": (PRACTITIONERS, PREFERENCES, ERASURES)},
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
        for name, query in _COUNTS.items():
            section.counts[name] = (await _rows(conn, query, params))[0][0]
        section.counts["behind"] = (await _rows(conn, _HOW_MANY, params))[0][0]
        for key, version, taken, held in await _rows(conn, _WHICH, params):
            _behind(section, key, version, taken, held=held)
        ahead = (await _rows(conn, _HOW_MANY_AHEAD, params))[0][0]
        for key, version, taken in await _rows(conn, _WHICH_AHEAD, params):
            what = f"{key}: taken up to version {taken}, and the topic ends at {version}"
            section.differences.append(Difference("I13", what, "booking republish"))
        section.hidden = section.counts["behind"] + ahead - len(section.differences)
    return section


async def _behind_at_rest(conn: psycopg.AsyncConnection[Any], params: dict[str, Any]) -> None:
    """Until the consumer has caught up, but for held keys, or has taken nothing for PATIENCE seconds."""
    least, since = -1, time.monotonic()
    while True:
        behind, held = (await _rows(conn, _HOW_MANY, params))[0]
        if behind != least:
            least, since = behind, time.monotonic()
        if behind == held or time.monotonic() - since > PATIENCE:
            return
        await asyncio.sleep(LOOK_AGAIN)


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode(), params)).fetchall()


def _head(record: Any) -> tuple[str, int] | None:
    """A record that can't be read has no version: the consumer holds it, and it is counted there."""
    said = told(record)
    return (said.subject, said.sequence) if said and record.key == said.subject.encode() else None


def _behind(section: Section, key: str, version: int, taken: int, *, held: bool) -> None:
    why, remedy = (
        ("held", "booking dead-letters list") if held else ("not taken", "wait for the lag to end, then look again")
    )
    section.differences.append(Difference("I13", f"{key}: version {version} is {why}, taken up to {taken}", remedy))
