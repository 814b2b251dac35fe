"""What a service publishes, and the reading half of the relay: from marks to records.

Marks, never a cursor (F25): sequence order is not commit order, and a reader of ``id > last`` would pass a slow
transaction's event for ever. Always the lowest marks there are, in one snapshot: a writer of version 2 has seen
version 1 committed, so whoever sees 2's mark sees 1's, and 1's id is lower.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row, tuple_row
from psycopg.sql import SQL

from booking_contracts import envelope, wire
from booking_contracts.ids import state_id
from booking_contracts.topics import Program, Topic
from booking_outbox._encoding import Outgoing, outgoing

log = logging.getLogger("booking_outbox.relay")


@dataclass(frozen=True)
class EventTopic:
    """The events of ``topic``'s types: the records in their marks, or made from the table ``events`` where a mark has
    none.

    ``states`` is the state topic with a row for each of these streams, if there is one. The statement that deletes an
    event's mark leaves a mark of its key there: each row follows its events, and no append writes a mark for it.
    """

    topic: Topic
    states: Topic | None = None


@dataclass(frozen=True)
class StateTopic:
    """Rows as they are now. A mark names a key; what is sent is the row at the time of sending.

    ``query`` selects, for ``key = ANY(%(keys)s::text[])``, the columns ``key`` (text), ``version`` (the row's, never
    restarting) and ``value`` (JSON text; null is a tombstone, whose row must stay with its version), and where wanted
    ``type`` (the event's name; default the topic's only one), ``type_version``, ``occurred_at``, ``actor``,
    ``correlation_id``, ``causation_id``, ``traceparent``. ``all_keys`` selects every ``key`` there is, for
    republishing everything. ``writer`` is who sends them, where that is not the topic's first writer.
    """

    topic: Topic
    query: LiteralString
    all_keys: LiteralString = ""
    writer: Program | None = None

    @property
    def source(self) -> str:
        """Their ``ce_source``."""
        return self.topic.source_of(self.writer or self.topic.writers[0])


Published = EventTopic | StateTopic


def instant(column: LiteralString) -> LiteralString:
    """SQL for a `timestamptz` as events write it, UTC with `Z`, for a ``query``'s JSON; null stays null."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


EVENT_COLUMNS = SQL(
    "e.data::text, e.type, e.type_version::text, e.id::text, e.version::text, e.occurred_at::text, "
    "e.metadata::text, e.traceparent, floor(extract(epoch FROM e.recorded_at) * 1000)::bigint::text"
)
# {skip} leaves out marks in flight or held back: by value, as no range of ids is safe to skip.
_MARKS = SQL(
    "SELECT id, key, position, record, created_at FROM outbox WHERE topic = $1 {skip} ORDER BY id LIMIT $2::int"
)
_SKIP = SQL("AND id <> ALL($3::bigint[])")
_FEW = 32

_Statements = tuple[bytes, bytes]
"""A reading of marks, and the same with marks to skip."""


def _reading(query: LiteralString) -> _Statements:
    marks = (_MARKS.format(skip=skip) for skip in (SQL(""), _SKIP))
    without, skipping = (SQL(query).format(marks=each, columns=EVENT_COLUMNS).as_bytes() for each in marks)
    return without, skipping


_KEYS = _reading("SELECT m.id::text, m.key FROM ({marks}) m ORDER BY m.id")
_RECORDS = _reading("SELECT m.id::text, m.record, m.created_at, m.position::text FROM ({marks}) m ORDER BY m.id")
# OFFSET 0 keeps the planner to one index look-up per mark: it knows nothing of a table that fills and empties within
# milliseconds, and a hash join would read all events there ever were for each window.
_EVENTS = (
    SQL(
        "SELECT p.position::text, e.stream_id::text, {columns} FROM unnest($1::bigint[]) p(position) "
        "CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.position = p.position OFFSET 0) e"
    )
    .format(columns=EVENT_COLUMNS)
    .as_bytes()
)
_EPOCH_MICROSECONDS = 946_684_800_000_000


async def read(
    conn: psycopg.AsyncConnection[Any], published: Published, limit: int, skip: Sequence[bytes]
) -> list[Outgoing]:
    """The records of the lowest ``limit`` marks of this topic but those of ``skip``, on the leader's connection."""
    match published:
        case EventTopic(topic=topic):
            return await _read_events(conn, topic, limit, skip)
        case StateTopic(topic):
            return await _read_states(conn, published, await _marks(conn, _KEYS, topic.name, limit, skip))


async def _read_events(
    conn: psycopg.AsyncConnection[Any], topic: Topic, limit: int, skip: Sequence[bytes]
) -> list[Outgoing]:
    rows = await _marks(conn, _RECORDS, topic.name, limit, skip)
    made: dict[bytes, tuple[Any, ...]] = {}
    if bare := [position for _, record, _, position in rows if record is None]:
        # From an older release, or by hand. An event that is marked is committed, and never changes.
        cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
        await cursor.execute(_EVENTS, [_array(bare)], prepare=True)
        made = {row[0]: row for row in await cursor.fetchall()}
    return [
        Outgoing(mark, record, _milliseconds(at)) if record else outgoing(topic.source, (mark, *made[position][1:]))
        for mark, record, at, position in rows
        if record or position in made
    ]


def _milliseconds(timestamptz: bytes) -> int:
    """PostgreSQL's binary form (microseconds since 2000) as Kafka counts (milliseconds since 1970)."""
    return (int.from_bytes(timestamptz, "big", signed=True) + _EPOCH_MICROSECONDS) // 1000


async def _read_states(
    conn: psycopg.AsyncConnection[Any], published: StateTopic, marked: Sequence[tuple[Any, ...]]
) -> list[Outgoing]:
    """One record per key, which settles all its marks in this window: its row as it is now, read after the marks and so
    at least as new as they."""
    topic = published.topic
    marks: dict[bytes, list[bytes]] = {}
    for mark, key in marked:
        marks.setdefault(key, []).append(mark)
    if not marks:
        return []
    rows = await _rows(conn, published, [key.decode() for key in marks])
    if orphans := marks.keys() - rows.keys():
        # Without a row there is no version to send a tombstone with; kept, the mark would be read again for ever.
        log.error("%s: marked keys without a row, nothing was sent: %s", topic.name, sorted(orphans)[:10])
        await settle(conn, topic.name, [mark for key in orphans for mark in marks[key]])
    now = int(time.time() * 1000)
    return [
        Outgoing(ids[0], _record(published, key, rows[key]), now, ids[1:]) for key, ids in marks.items() if key in rows
    ]


async def _rows(
    conn: psycopg.AsyncConnection[Any], published: StateTopic, keys: list[str]
) -> dict[bytes, dict[str, Any]]:
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(published.query, {"keys": keys})
    return {_bytes(row["key"]): row for row in await cursor.fetchall()}


def _record(published: StateTopic, key: bytes, row: dict[str, Any]) -> bytes:
    topic = published.topic
    (only, *_), version = topic.events, int(row["version"])
    id_ = str(state_id(topic.name, key.decode(), version))
    actor, correlation, causation, trace = (
        _text(row.get(name)) for name in ("actor", "correlation_id", "causation_id", "traceparent")
    )
    return wire.record(
        published.source,
        _text(row.get("type")) or only.TYPE,
        int(row.get("type_version") or only.TYPE_VERSION),
        key=key,
        value=None if row["value"] is None else _bytes(row["value"]),
        event_id=id_.encode(),
        time=envelope.rfc3339(row.get("occurred_at") or datetime.now(UTC)).encode(),
        sequence=str(version).encode(),
        metadata=envelope.metadata(actor or "system", correlation or id_, causation).encode(),
        traceparent=trace.encode() if trace and envelope.sampled(trace) else None,
    )


async def versions(conn: psycopg.AsyncConnection[Any], published: StateTopic, keys: list[str]) -> dict[str, int]:
    """The versions of these keys' rows as they are now; a key without a row is absent."""
    return {key.decode(): int(row["version"]) for key, row in (await _rows(conn, published, keys)).items()}


_SETTLE = "DELETE FROM outbox WHERE topic = $1 AND id = ANY($2::bigint[])"
_SETTLE_AND_MARK = f"""
WITH sent AS ({_SETTLE} RETURNING key)
INSERT INTO outbox (topic, key) SELECT DISTINCT $3::text, key FROM sent"""  # noqa: S608 - a constant


async def settle(
    conn: psycopg.AsyncConnection[Any], topic: str, marks: Sequence[bytes], states: Topic | None = None
) -> None:
    """Delete exactly these marks. Never a range: one committed meanwhile, its id among theirs, would go unsent.

    With ``states`` their keys are marked there, once each, by the same statement: should a crash undo the deletion, it
    undoes these marks too, and the events that are then sent again leave them again.
    """
    cursor = psycopg.AsyncRawCursor(conn)
    if states is None:
        await cursor.execute(_SETTLE, [topic, _array(marks)], prepare=True)
    else:
        await cursor.execute(_SETTLE_AND_MARK, [topic, _array(marks), states.name], prepare=True)


async def mark_again(conn: psycopg.AsyncConnection[Any], keys: dict[str, list[bytes]]) -> None:
    """Insert marks for these keys of state topics, to be sent from their rows as they are now."""
    if not keys:
        return
    async with conn.transaction():
        await conn.execute("SET LOCAL synchronous_commit = on")  # the leader's session has it off, for its deletions
        for topic, names in keys.items():
            array = _array([b'"' + name + b'"' for name in names])
            await conn.execute("INSERT INTO outbox (topic, key) SELECT %s, unnest(%s::text[])", [topic, array])


async def _marks(
    conn: psycopg.AsyncConnection[Any], query: _Statements, topic: str, limit: int, skip: Sequence[bytes]
) -> list[tuple[Any, ...]]:
    """Rows of values in PostgreSQL's binary form: a text is its bytes, a bytea half as long as its text."""
    cursor = psycopg.AsyncRawCursor(conn)
    without, skipping = query
    if skip:
        # Of many ids not prepared: known to the planner `<> ALL` is one hash table, in a generic plan it is a list
        # search per row. Of few that costs nothing, and planning anew for each event that is on its way would.
        await cursor.execute(skipping, [topic, limit, _array(skip)], prepare=len(skip) <= _FEW, binary=True)
    else:
        await cursor.execute(without, [topic, limit], prepare=True, binary=True)
    found = cursor.pgresult
    assert found is not None
    value, columns = found.get_value, range(found.nfields)
    return [tuple([value(row, column) for column in columns]) for row in range(found.ntuples)]


def _array(items: Sequence[bytes]) -> str:
    return "{" + b",".join(items).decode() + "}"


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) else None if value is None else str(value)
