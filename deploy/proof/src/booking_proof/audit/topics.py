"""I3, I4, I5: what a store holds against what its topic holds.

The order of looking matters on a running system. The store and its outbox marks are read in one snapshot *before* the
topic's ends are asked: an event without a mark there was acknowledged before, so it must lie below those ends.
Records of events that were committed later are looked up afterwards, in a newer snapshot.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg.rows import dict_row

from booking_contracts.topics import Topic
from booking_local.failure import Failure
from booking_outbox import StateTopic
from booking_proof.audit.section import LISTED, Difference, Progress, Section

FETCH_MS = 1000
_SQL = files("booking_proof.audit")


async def audit_topic(
    url: str, bootstrap: str, topic: Topic, *, prefix: str = "", progress: Progress | None = None
) -> Section:
    """Compare one event topic with the store that owns it. `progress(done, total)` counts records of the topic."""
    section = Section(topic.name)
    names = [event.TYPE for event in topic.events]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute((_SQL / "records.sql").read_bytes())
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await conn.execute("SELECT 1 FROM events LIMIT 1")  # the snapshot is taken here, before the topic's ends
            await _copy(conn, read_topic(bootstrap, prefix + topic.name, progress), section, topic.source)
            await _compare(conn, section, "lost", {"types": names, "topic": topic.name})
        await _compare(conn, section, "phantom", {"types": names})
        await _compare(conn, section, "disordered", {"types": names})
        await _compare(conn, section, "broken", {"types": names})
        await _count(conn, section, names, topic.name)
    return section


async def read_topic(bootstrap: str, name: str, progress: Progress | None = None) -> AsyncIterator[Any]:
    """Yield every record of a topic from its beginning to the ends as of now."""
    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    try:
        await consumer.start()
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
    finally:
        await consumer.stop()


def missing(names: list[str]) -> Failure:
    """What to say of topics that aren't there: nothing can be compared with them."""
    return Failure(
        f"Kafka lacks {', '.join(names)}: see docs/operations.md, A topic was lost. Nothing was compared with "
        f"{'it' if len(names) == 1 else 'them'}."
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What a record's headers say of the event that it carries."""

    id: UUID
    subject: str
    sequence: int


def told(record: Any) -> Told | None:
    """A record's own words, or None for one that no consumer could read either (F44)."""
    try:
        headers = dict(record.headers)
        found = Told(UUID(headers["ce_id"].decode()), headers["ce_subject"].decode(), int(headers["ce_sequence"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if 0 < found.sequence < 2**63 and "\0" not in found.subject else None


def is_from(record: Any, source: str) -> bool:
    """Whether a record says that this service wrote it."""
    return dict(record.headers).get("ce_source") == source.encode()


async def _copy(conn: psycopg.AsyncConnection[Any], records: AsyncIterator[Any], section: Section, source: str) -> None:
    section.counts |= {"foreign": 0, "unreadable": 0}
    async with conn.cursor().copy("COPY audit_record (id, subject, sequence, partition, at) FROM STDIN") as copy:
        async for record in records:
            if not is_from(record, source):
                section.counts["foreign"] += 1
            elif (said := told(record)) is None:
                section.counts["unreadable"] += 1
            else:
                await copy.write_row((said.id, said.subject, said.sequence, record.partition, record.offset))
    await conn.execute("CREATE INDEX ON audit_record (id)")
    await conn.execute("ANALYZE audit_record")


_FOUND = {
    "lost": ("I4", "committed but neither in the topic nor waiting in the outbox", "booking republish"),
    "phantom": (
        "I4",
        "in the topic but not in the store",
        "a restore? see docs/operations.md before booking republish --accept-topic",
    ),
    "disordered": (
        "I5",
        "appears in the topic before an earlier version of its stream",
        "a defect: keep the topic and report it",
    ),
    "broken": ("I3", "its stream has a hole or a repeat", "a defect: keep the database and report it"),
}


async def _compare(conn: psycopg.AsyncConnection[Any], section: Section, kind: str, params: dict[str, Any]) -> None:
    invariant, meaning, remedy = _FOUND[kind]
    found, listed = 0, section.differences
    async with conn.cursor(name=f"audit_{kind}", withhold=True) as cursor:
        await cursor.execute((_SQL / f"{kind}.sql").read_bytes(), params)
        async for id_, stream, version in cursor:
            found += 1
            if found <= LISTED:
                listed.append(
                    Difference(invariant, f"event {id_} (stream {stream}, version {version}): {meaning}", remedy)
                )
    section.counts[kind] = found
    section.hidden += max(0, found - LISTED)


async def _count(conn: psycopg.AsyncConnection[Any], section: Section, names: list[str], topic: str) -> None:
    for name, query in (
        ("events", "SELECT count(*) FROM events WHERE type = ANY(%(types)s)"),
        ("records", "SELECT count(*) FROM audit_record"),
        ("distinct", "SELECT count(DISTINCT id) FROM audit_record"),
        ("waiting", "SELECT count(*) FROM outbox WHERE topic = %(topic)s AND position IS NOT NULL"),
    ):
        row = await (await conn.execute(query, {"types": names, "topic": topic})).fetchone()  # pyright: ignore[reportArgumentType]
        section.counts[name] = int(row[0]) if row else 0
    section.counts["copies"] = section.counts["records"] - section.counts["distinct"]


# State topics. Rows and outbox marks are looked at in one snapshot *before* the topic's ends are asked: a row without
# a mark there was acknowledged before, so the newest record is at least as new. What was written later is looked up
# afterwards.
_BATCH = 1_000
_TABLE = "CREATE TEMP TABLE audit_said (key text NOT NULL, version bigint NOT NULL, at bigint NOT NULL, value bytea)"
# The newest by version, as consumers take them: offsets of two partitions do not compare (F52).
_NEWEST = """
    SELECT DISTINCT ON (key) key, version, value FROM audit_said
    WHERE key = ANY(%s) ORDER BY key, version DESC, at DESC"""
_WAITING = "SELECT DISTINCT key FROM outbox WHERE topic = %s AND key = ANY(%s)"
_LOST, _RESTORED = "booking republish", "a restore? see docs/operations.md"


@dataclass(frozen=True, slots=True)
class _Said:
    """The newest record of one key."""

    version: int
    value: bytes | None


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
        await conn.execute(_TABLE)
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await conn.execute("SELECT 1 FROM outbox LIMIT 1")  # the snapshot is taken here, before the topic's ends
            await _copy_states(conn, read_topic(bootstrap, prefix + topic.name, progress), section, topic.source)
            async for keys in _keys(conn, published.all_keys):
                await _compare_states(conn, now, published, keys, section)
    return section


async def _copy_states(
    conn: psycopg.AsyncConnection[Any], records: AsyncIterator[Any], section: Section, source: str
) -> None:
    section.counts |= {"foreign": 0, "unreadable": 0}
    async with conn.cursor().copy("COPY audit_said FROM STDIN") as copy:
        async for record in records:
            if not is_from(record, source):
                section.counts["foreign"] += 1
            elif (said := told(record)) is None or not _is_uuid(said.subject):
                section.counts["unreadable"] += 1
            else:
                await copy.write_row((said.subject, said.sequence, record.offset, record.value))
    await conn.execute("CREATE INDEX ON audit_said (key, version DESC, at DESC)")
    await conn.execute("ANALYZE audit_said")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


async def _keys(conn: psycopg.AsyncConnection[Any], all_keys: str) -> AsyncIterator[list[str]]:
    async with conn.cursor(name="audit_keys") as cursor:
        query = f"SELECT key FROM audit_said UNION SELECT key FROM ({all_keys}) r ORDER BY key"  # noqa: S608 - a constant of the service's
        await cursor.execute(query.encode())
        while rows := await cursor.fetchmany(_BATCH):
            yield [key for (key,) in rows]


async def _compare_states(
    conn: psycopg.AsyncConnection[Any],
    now: psycopg.AsyncConnection[Any],
    published: StateTopic,
    keys: Sequence[str],
    section: Section,
) -> None:
    said = {key: _Said(version, value) for key, version, value in await _all(conn, _NEWEST, keys)}
    waiting = {key for (key,) in await _all(conn, _WAITING, published.topic.name, keys)}
    rows = await _state_rows(conn, published, keys)
    newer = [key for key, one in said.items() if key not in rows or one.version > rows[key]["version"]]
    rows_now = await _state_rows(now, published, newer) if newer else {}
    section.counts["compared"] += len(keys)
    for key in keys:
        row = rows_now.get(key) or rows.get(key)
        what = _difference(said.get(key), row, waiting=key in waiting or (key in rows_now and key in rows))
        if what:
            section.differ("I4", f"{key}: {what[0]}", what[1])


def _difference(said: _Said | None, row: Mapping[str, Any] | None, *, waiting: bool) -> tuple[str, str] | None:
    """What is wrong with one key, and its remedy. `waiting`: the relay will still send it, or it changed meanwhile."""
    if row is None:
        return "in the topic, and there is no row", _RESTORED
    if said is not None and said.version > row["version"]:
        return f"version {said.version} in the topic, {row['version']} in the row", _RESTORED
    return None if waiting else _unsaid(said, row)


def _unsaid(said: _Said | None, row: Mapping[str, Any]) -> tuple[str, str] | None:
    if said is None:  # a tombstone may have been compacted away
        return None if row["value"] is None else (f"version {row['version']} is not in the topic", _LOST)
    if said.version < row["version"]:
        return f"the topic ends at version {said.version}, the row has {row['version']}", _LOST
    if _value(said.value) != _value(row["value"]):
        return f"version {said.version} differs in the topic from its row", "a defect: a row changed without a version"
    return None


def _value(text: bytes | str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


async def _state_rows(
    conn: psycopg.AsyncConnection[Any], published: StateTopic, keys: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(published.query.encode(), {"keys": list(keys)})
    return {row["key"]: row for row in await cursor.fetchall()}


async def _all(conn: psycopg.AsyncConnection[Any], query: str, *params: Any) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(query.encode(), [list(p) if not isinstance(p, str) else p for p in params])
    return await cursor.fetchall()
