"""I13: what each consumer has taken against what its topics hold, key by key.

A discarded record is a known difference and shown as such; a held one explains why its key lags.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg

from booking_contracts.topics import Topic
from booking_local.audit.finding import Difference, Section
from booking_local.audit.published import read_topic
from booking_local.audit.rows import LISTED

PATIENCE = 15.0  # seconds without a step: no lag any more, a stop
LOOK_AGAIN = 0.25
_BEHIND = """
    SELECT t.key, t.version, coalesce(i.version, 0),
           EXISTS (SELECT 1 FROM held h WHERE h.consumer = %(consumer)s AND h.topic = %(topic)s AND h.key = t.key
                   AND h.settled_at IS NULL)
    FROM (SELECT key, max(version) AS version FROM audit_head GROUP BY key) t
    LEFT JOIN inbox i ON i.consumer = %(consumer)s AND i.topic = %(topic)s AND i.key = t.key
    WHERE coalesce(i.version, 0) < t.version ORDER BY t.key"""
_COUNTS = {
    "keys": "SELECT count(DISTINCT key) FROM audit_head",
    "held": "SELECT count(*) FROM held WHERE consumer = %(consumer)s AND topic = %(topic)s AND settled_at IS NULL",
    "discarded": """SELECT count(*) FROM held
        WHERE consumer = %(consumer)s AND topic = %(topic)s AND outcome = 'discarded'""",
}


async def consumers(url: str) -> list[tuple[str, str]]:
    """Return each (consumer, topic) that has ever taken a record in this database."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        found = await conn.execute("SELECT DISTINCT consumer, topic FROM inbox ORDER BY 1, 2")
        return [(consumer, topic) for consumer, topic in await found.fetchall()]


async def audit_consumer(url: str, bootstrap: str, consumer: str, topic: Topic, *, prefix: str = "") -> Section:
    """Compare one consumer's version rows with the heads of one topic, after its lag."""
    section = Section(f"{consumer} ← {topic.name}")
    params = {"consumer": consumer, "topic": topic.name}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute("CREATE TEMP TABLE audit_head (key text NOT NULL, version bigint NOT NULL)")
        async with conn.cursor().copy("COPY audit_head FROM STDIN") as copy:
            async for record in read_topic(bootstrap, prefix + topic.name):
                row = _head(record)
                if row is not None:
                    await copy.write_row(row)
        for name, query in _COUNTS.items():
            counted: Any = await (await conn.execute(query, params)).fetchone()  # pyright: ignore[reportArgumentType]
            section.counts[name] = counted[0]
        for key, version, taken, held in await _behind_at_rest(conn, params):
            _behind(section, key, version, taken, held=held)
    return section


async def _behind_at_rest(conn: psycopg.AsyncConnection[Any], params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the keys that lag once the consumer has caught up or taken nothing for PATIENCE seconds."""
    least, since = -1, time.monotonic()
    while True:
        behind = await (await conn.execute(_BEHIND, params)).fetchall()
        if len(behind) != least:
            least, since = len(behind), time.monotonic()
        if all(held for *_, held in behind) or time.monotonic() - since > PATIENCE:
            return behind
        await asyncio.sleep(LOOK_AGAIN)


def _head(record: Any) -> tuple[str, int] | None:
    """A record that can't be read has no version: the consumer holds it, and it is counted there."""
    try:
        return record.key.decode(), int(dict(record.headers)["ce_sequence"])
    except (AttributeError, KeyError, ValueError):
        return None


def _behind(section: Section, key: str, version: int, taken: int, *, held: bool) -> None:
    section.counts["behind"] = section.counts.get("behind", 0) + 1
    why, remedy = (
        ("held", "booking dead-letters list") if held else ("not taken", "wait for the lag to end, then look again")
    )
    if len(section.differences) < LISTED:
        section.differences.append(Difference("I13", f"{key}: version {version} is {why}, taken up to {taken}", remedy))
    else:
        section.hidden += 1
