"""I4, I6: what a state topic says of each key against the row that it publishes.

Rows and outbox marks are looked at in one snapshot *before* the topic's ends are asked: a row without a mark there was
acknowledged before, so the topic's newest record is at least as new. What was written later is looked up afterwards.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from booking_local.audit.finding import Difference, Section
from booking_local.audit.published import Progress, is_from, read_topic, told
from booking_local.audit.rows import LISTED
from booking_outbox import StateTopic

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
            await _copy(conn, read_topic(bootstrap, prefix + topic.name, progress), section, topic.source)
            async for keys in _keys(conn, published.all_keys):
                await _compare(conn, now, published, keys, section)
    return section


async def _copy(conn: psycopg.AsyncConnection[Any], records: AsyncIterator[Any], section: Section, source: str) -> None:
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


async def _compare(
    conn: psycopg.AsyncConnection[Any],
    now: psycopg.AsyncConnection[Any],
    published: StateTopic,
    keys: Sequence[str],
    section: Section,
) -> None:
    said = {key: _Said(version, value) for key, version, value in await _all(conn, _NEWEST, keys)}
    waiting = {key for (key,) in await _all(conn, _WAITING, published.topic.name, keys)}
    rows = await _rows(conn, published, keys)
    newer = [key for key, one in said.items() if key not in rows or one.version > rows[key]["version"]]
    rows_now = await _rows(now, published, newer) if newer else {}
    section.counts["compared"] += len(keys)
    for key in keys:
        row = rows_now.get(key) or rows.get(key)
        what = _difference(said.get(key), row, waiting=key in waiting or (key in rows_now and key in rows))
        if what:
            _differ(section, key, *what)


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


async def _rows(
    conn: psycopg.AsyncConnection[Any], published: StateTopic, keys: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(published.query.encode(), {"keys": list(keys)})
    return {row["key"]: row for row in await cursor.fetchall()}


async def _all(conn: psycopg.AsyncConnection[Any], query: str, *params: Any) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(query.encode(), [list(p) if not isinstance(p, str) else p for p in params])
    return await cursor.fetchall()


def _differ(section: Section, key: str, what: str, remedy: str) -> None:
    if len(section.differences) < LISTED:
        section.differences.append(Difference("I4", f"{key}: {what}", remedy))
    else:
        section.hidden += 1
