"""I3, I4, I5: what a store holds against what its topic holds.

The order of looking matters on a running system. The store and its outbox marks are read in one snapshot *before* the
topic's ends are asked: an event without a mark there was acknowledged before, so it must lie below those ends.
Records of events that were committed later are looked up afterwards, in a newer snapshot.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import sql

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected
from booking_contracts.topics import Topic
from booking_ops.audit.section import Progress, Row, Section, fetch, rows
from booking_ops.failure import Failure
from booking_ops.invariants import disordered, gaps, unpublished
from booking_outbox import StateTopic

FETCH_MS = 1000
_TABLE = """
    CREATE TEMP TABLE audit_record
    (id uuid NOT NULL, subject text NOT NULL, sequence bigint NOT NULL, partition int NOT NULL, at bigint NOT NULL)"""


async def audit_topic(
    url: str, bootstrap: str, topic: Topic, *, prefix: str = "", progress: Progress | None = None
) -> Section:
    """Compare one event topic with the store that owns it. `progress(done, total)` counts records of the topic."""
    section = Section(topic.name)
    params = {"types": [event.TYPE for event in topic.events], "topic": topic.name}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(_TABLE)
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await conn.execute("SELECT 1 FROM events LIMIT 1")  # the snapshot is taken here, before the topic's ends
            records = read_topic(bootstrap, prefix + topic.name, progress)
            async with conn.cursor().copy("COPY audit_record FROM STDIN") as copy:
                await _copy(copy, records, section, topic.source, _event_row)
            await conn.execute("CREATE INDEX ON audit_record (id)")
            await conn.execute("ANALYZE audit_record")
            section.counts |= dict.fromkeys(_FOUND, 0)
            await _compare_sides(conn, section, _MISSING, params)
        await _compare_sides(conn, section, _EXTRA, params)
        await _compare_order(conn, section, "disordered", params)
        await _compare_order(conn, section, "broken", params)
        await _count(conn, section, params)
    return section


async def read_topic(bootstrap: str, name: str, progress: Progress | None = None) -> AsyncIterator[Any]:
    """Yield every record of a topic from its beginning to the ends as of now."""
    consumer = AIOKafkaConsumer(
        name, **client_options(bootstrap), enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    async with connected(consumer):
        parts = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name) or ())]
        if not parts:
            raise missing([name])
        ends = await consumer.end_offsets(parts)
        begins = await consumer.beginning_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        waiting = {part for part in parts if ends[part] > begins[part]}
        total, done = sum(ends.values()) - sum(begins.values()), 0
        while waiting:
            for part, records in (await consumer.getmany(timeout_ms=FETCH_MS, max_records=5000)).items():
                for record in records:
                    if record.offset < ends[part]:
                        yield record
                done += len(records)
            # By position, not by the last record seen: a compacted topic's last offsets may hold no record.
            waiting = {part for part in waiting if await consumer.position(part) < ends[part]}
            if progress:
                progress(min(done, total), total)


def missing(names: list[str]) -> Failure:
    """What to say of topics that aren't there: nothing can be compared with them."""
    return Failure(
        f"Kafka lacks {', '.join(names)}: see docs/operations.md, A topic was lost. Nothing was compared with "
        f"{'it' if len(names) == 1 else 'them'}."
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """What a record's key and headers say of the event that it carries."""

    id: UUID
    key: str
    sequence: int


def identity(record: Any) -> Identity | None:
    """A record's own words, or None for one that no consumer could read either (F44)."""
    try:
        headers = dict(record.headers)
        found = Identity(UUID(headers["ce_id"].decode()), record.key.decode(), int(headers["ce_sequence"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if 0 < found.sequence < 2**63 and "\0" not in found.key else None


RowOf = Callable[[Identity, Any], Sequence[Any] | None]


async def _copy(
    copy: psycopg.AsyncCopy, records: AsyncIterator[Any], section: Section, source: str, row: RowOf
) -> None:
    """Records into a temporary table; those of others, and those without a row, are only counted."""
    section.counts |= {"foreign": 0, "unreadable": 0}
    async for record in records:
        event = identity(record)
        values = None if event is None else row(event, record)
        if dict(record.headers).get("ce_source") != source.encode():
            section.counts["foreign"] += 1
        elif values is None:
            section.counts["unreadable"] += 1
        else:
            await copy.write_row(values)


def _event_row(event: Identity, record: Any) -> Sequence[Any]:
    return event.id, event.key, event.sequence, record.partition, record.offset


_FOUND = {
    "lost": ("I4", "committed but neither in the topic nor waiting in the outbox", "booking-ops republish"),
    "phantom": (
        "I4",
        "in the topic but not in the store",
        "a restore? see docs/operations.md before booking-ops republish --accept-topic",
    ),
    "disordered": (
        "I5",
        "appears in the topic before an earlier version of its stream",
        "a defect: keep the topic and report it",
    ),
    "broken": ("I3", "its stream has a hole or a repeat", "a defect: keep the database and report it"),
}
# Of the events and records that are not on both sides, whether they are in the store, in the topic, in the outbox.
_MISSING = """
    SELECT e.id, e.stream_id::text AS stream, e.version, true AS stored, false AS published,
           EXISTS (SELECT 1 FROM outbox o WHERE o.position = e.position AND o.topic = %(topic)s) AS waiting
    FROM events e
    WHERE e.type = ANY(%(types)s) AND NOT EXISTS (SELECT 1 FROM audit_record r WHERE r.id = e.id)
    ORDER BY e.position"""
_EXTRA = """
    SELECT r.id, min(r.subject) AS stream, min(r.sequence) AS version, false AS stored, true AS published,
           false AS waiting
    FROM audit_record r
    WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = r.id AND e.type = ANY(%(types)s))
    GROUP BY r.id ORDER BY stream, version"""
# Only first appearances count: later copies are allowed anywhere.
_APPEARED = """
    SELECT subject AS stream, array_agg(sequence ORDER BY first) AS versions, array_agg(id ORDER BY first) AS ids
    FROM (SELECT id, subject, sequence, min(at) AS first FROM audit_record GROUP BY id, subject, sequence) f
    GROUP BY subject ORDER BY subject"""
_STORED = """
    SELECT stream_id::text AS stream, array_agg(version ORDER BY version, id) AS versions,
           array_agg(id ORDER BY version, id) AS ids
    FROM events WHERE type = ANY(%(types)s) GROUP BY stream_id ORDER BY stream_id"""
_ORDERS = {"disordered": (_APPEARED, disordered), "broken": (_STORED, gaps)}


async def _compare_sides(conn: psycopg.AsyncConnection[Any], section: Section, query: str, params: Any) -> None:
    async for one in rows(conn, "sides", query, params):
        kind = unpublished(stored=one["stored"], published=one["published"], waiting=one["waiting"])
        if kind is not None:
            _found(section, kind, one["id"], one["stream"], one["version"])


async def _compare_order(conn: psycopg.AsyncConnection[Any], section: Section, kind: str, params: Any) -> None:
    query, wrong = _ORDERS[kind]
    async for one in rows(conn, kind, query, params):
        for place in wrong(one["versions"]):
            _found(section, kind, one["ids"][place], one["stream"], one["versions"][place])


def _found(section: Section, kind: str, id_: UUID, stream: str, version: int) -> None:
    invariant, meaning, remedy = _FOUND[kind]
    section.counts[kind] += 1
    section.differ(invariant, f"event {id_} (stream {stream}, version {version}): {meaning}", remedy)


async def _count(conn: psycopg.AsyncConnection[Any], section: Section, params: dict[str, Any]) -> None:
    counts = """
        SELECT (SELECT count(*) FROM events WHERE type = ANY(%(types)s)) AS events,
               (SELECT count(*) FROM audit_record) AS records,
               (SELECT count(DISTINCT id) FROM audit_record) AS distinct,
               (SELECT count(*) FROM outbox WHERE topic = %(topic)s AND position IS NOT NULL) AS waiting"""
    async for row in rows(conn, "counts", counts, params):
        section.counts |= row
    section.counts["copies"] = section.counts["records"] - section.counts["distinct"]


# State topics. Rows and outbox marks are looked at in one snapshot *before* the topic's ends are asked: a row without
# a mark there was acknowledged before, so the newest record is at least as new. What was written later is looked up
# afterwards.
_BATCH = 1_000
_STATES_TABLE = (
    "CREATE TEMP TABLE audit_newest (key text NOT NULL, version bigint NOT NULL, at bigint NOT NULL, value bytea)"
)
# The newest by version, as consumers take them: offsets of two partitions do not compare (F52).
_NEWEST = """
    SELECT DISTINCT ON (key) key, version, value FROM audit_newest
    WHERE key = ANY(%(keys)s) ORDER BY key, version DESC, at DESC"""
_WAITING = "SELECT DISTINCT key FROM outbox WHERE topic = %(topic)s AND key = ANY(%(keys)s)"
_LOST, _RESTORED = "booking-ops republish", "a restore? see docs/operations.md"


async def audit_states(
    url: str, bootstrap: str, published: StateTopic, *, prefix: str = "", progress: Progress | None = None
) -> Section:
    """Compare one state topic with its rows, key by key."""
    topic = published.topic
    section = Section(f"{topic.name} = its rows", {"compared": 0})
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as now,
    ):
        await conn.execute(_STATES_TABLE)
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await conn.execute("SELECT 1 FROM outbox LIMIT 1")  # the snapshot is taken here, before the topic's ends
            records = read_topic(bootstrap, prefix + topic.name, progress)
            async with conn.cursor().copy("COPY audit_newest FROM STDIN") as copy:
                await _copy(copy, records, section, published.source, _state_row)
            await conn.execute("CREATE INDEX ON audit_newest (key, version DESC, at DESC)")
            await conn.execute("ANALYZE audit_newest")
            async for keys in _keys(conn, published.all_keys):
                await _compare_states(conn, now, published, keys, section)
    return section


def _state_row(event: Identity, record: Any) -> Sequence[Any] | None:
    try:
        known = str(UUID(event.key)) == event.key
    except ValueError:
        known = False
    return (event.key, event.sequence, record.offset, record.value) if known else None


async def _keys(conn: psycopg.AsyncConnection[Any], all_keys: str) -> AsyncIterator[list[str]]:
    async with conn.cursor(name="audit_keys") as cursor:
        ours = sql.SQL(cast("LiteralString", all_keys))
        await cursor.execute(
            sql.SQL("SELECT key FROM audit_newest UNION SELECT key FROM ({}) r ORDER BY key").format(ours)
        )
        while found := await cursor.fetchmany(_BATCH):
            yield [key for (key,) in found]


async def _compare_states(
    conn: psycopg.AsyncConnection[Any],
    now: psycopg.AsyncConnection[Any],
    published: StateTopic,
    keys: list[str],
    section: Section,
) -> None:
    newest = {row["key"]: row for row in await fetch(conn, _NEWEST, {"keys": keys})}
    params = {"topic": published.topic.name, "keys": keys}
    waiting = {row["key"] for row in await fetch(conn, _WAITING, params)}
    rows_then = {row["key"]: row for row in await fetch(conn, published.query, {"keys": keys})}
    newer = [key for key, one in newest.items() if key not in rows_then or one["version"] > rows_then[key]["version"]]
    rows_now = {row["key"]: row for row in await fetch(now, published.query, {"keys": newer})} if newer else {}
    section.counts["compared"] += len(keys)
    for key in keys:
        row = rows_now.get(key) or rows_then.get(key)
        what = _difference(newest.get(key), row, waiting=key in waiting or (key in rows_now and key in rows_then))
        if what:
            section.differ("I4", f"{key}: {what[0]}", what[1])


def _difference(newest: Row | None, row: Row | None, *, waiting: bool) -> tuple[str, str] | None:
    """What is wrong with one key, and its remedy. `waiting`: the relay will still send it, or it changed meanwhile."""
    if row is None:
        return "in the topic, and there is no row", _RESTORED
    if newest is not None and newest["version"] > row["version"]:
        return f"version {newest['version']} in the topic, {row['version']} in the row", _RESTORED
    return None if waiting else _behind(newest, row)


def _behind(newest: Row | None, row: Row) -> tuple[str, str] | None:
    if newest is None:  # a tombstone may have been compacted away
        return None if row["value"] is None else (f"version {row['version']} is not in the topic", _LOST)
    if newest["version"] < row["version"]:
        return f"the topic ends at version {newest['version']}, the row has {row['version']}", _LOST
    if _value(newest["value"]) != _value(row["value"]):
        return (
            f"version {newest['version']} differs in the topic from its row",
            "a defect: a row changed without a version",
        )
    return None


def _value(text: bytes | str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
