"""From marks to records: the reading half of the relay.

Marks, never a cursor (F25): sequence order is not commit order, and a reader of ``id > last`` would pass a slow
transaction's event for ever. Always the lowest marks there are, in one snapshot: a writer of version 2 has seen
version 1 committed, so whoever sees 2's mark sees 1's, and 1's id is lower.
"""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row, tuple_row

from booking_contracts.ids import state_id
from booking_outbox.headers import event_headers, instant, type_headers
from booking_outbox.outgoing import Outgoing
from booking_outbox.topics import EventTopic, Published, StateTopic

_log = logging.getLogger(__name__)

# {skip} leaves out marks in flight or held back: by value, as no range of ids is safe to skip.
_SKIP = "AND id <> ALL($3::bigint[])"
_FEW = 32
_MARKS = "SELECT id, key, position FROM outbox WHERE topic = $1 {skip} ORDER BY id LIMIT $2::int"
EVENT_COLUMNS = (
    "e.data::text, e.type, e.type_version::text, e.id::text, e.version::text, e.occurred_at::text, e.actor, "
    "e.correlation_id, e.causation_id, e.traceparent"
)
_KEYS = f"SELECT m.id::text, m.key FROM ({_MARKS}) m ORDER BY m.id"  # noqa: S608
# OFFSET 0 keeps the planner to one index look-up per mark: it knows nothing of a table that fills and empties within
# milliseconds, and a hash join would read all events there ever were for each window.
_EVENTS = (
    f"SELECT m.id::text, m.key, e.* FROM ({_MARKS}) m CROSS JOIN LATERAL "  # noqa: S608
    f"(SELECT {EVENT_COLUMNS} FROM events e WHERE e.position = m.position OFFSET 0) e ORDER BY m.id"
)


class Reader(Protocol):
    """Reads the lowest marks of one topic with the records they stand for."""

    async def read(self, limit: int, skip: Sequence[bytes]) -> list[Outgoing]: ...


def reader(conn: psycopg.AsyncConnection[Any], published: Published) -> Reader:
    """The reader for this topic, on the leader's connection."""
    match published:
        case EventTopic():
            return EventReader(conn, published)
        case StateTopic():
            return StateReader(conn, published)


class EventReader:
    """Marks joined with their events; nothing of them is parsed."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], published: EventTopic) -> None:
        self._conn = conn
        self._topic = published.topic

    async def read(self, limit: int, skip: Sequence[bytes]) -> list[Outgoing]:
        """The lowest ``limit`` marks but those of ``skip``, in the order of their ids."""
        rows = await _marks(self._conn, _EVENTS, self._topic.name, limit, skip)
        return outgoing(self._topic.source, rows)


def outgoing(source: str, rows: Sequence[tuple[Any, ...]]) -> list[Outgoing]:
    """Records of rows that are a mark, a key, and EVENT_COLUMNS."""
    return [
        Outgoing(
            mark,
            key,
            data,
            event_headers(
                type_headers(source, type_, type_version),
                key,
                id_,
                version,
                instant(time),
                actor,
                correlation,
                cause,
                trace,
            ),
        )
        for mark, key, data, type_, type_version, id_, version, time, actor, correlation, cause, trace in rows
    ]


class StateReader:
    """Marked keys, and their rows as they are now, read after the marks and so at least as new as they."""

    def __init__(self, conn: psycopg.AsyncConnection[Any], published: StateTopic) -> None:
        self._conn = conn
        self._topic = published.topic
        self._query = published.query

    async def read(self, limit: int, skip: Sequence[bytes]) -> list[Outgoing]:
        """One record per key, which settles all marks of that key in this window."""
        rows = await _marks(self._conn, _KEYS, self._topic.name, limit, skip)
        marks: dict[bytes, list[bytes]] = {}
        for mark, key in rows:
            marks.setdefault(key, []).append(mark)
        if not marks:
            return []
        current = {_bytes(row["key"]): row for row in await self._rows(list(marks))}
        if orphans := marks.keys() - current.keys():
            await self._drop(orphans, [mark for key in orphans for mark in marks[key]])
        return [self._outgoing(key, ids, current[key]) for key, ids in marks.items() if key in current]

    async def _drop(self, keys: AbstractSet[bytes], marks: list[bytes]) -> None:
        # Without a row there is no version to send a tombstone with; kept, the mark would be read again for ever.
        _log.error("%s: marked keys without a row, nothing was sent: %s", self._topic.name, sorted(keys)[:10])
        await settle(self._conn, self._topic.name, marks)

    async def _rows(self, keys: list[bytes]) -> list[dict[str, Any]]:
        cursor = self._conn.cursor(row_factory=dict_row)
        await cursor.execute(self._query.encode(), {"keys": [key.decode() for key in keys]})
        return await cursor.fetchall()

    def _outgoing(self, key: bytes, marks: list[bytes], row: dict[str, Any]) -> Outgoing:
        value = row["value"]
        return Outgoing(
            marks[0],
            key,
            None if value is None else _bytes(value),
            self._headers(key, row),
            tuple(marks[1:]),
        )

    def _headers(self, key: bytes, row: dict[str, Any]) -> bytes:
        type_ = _bytes(row.get("type") or self._topic.events[0].TYPE)
        version = int(row["version"])
        occurred_at = row.get("occurred_at") or datetime.now(UTC)
        return event_headers(
            type_headers(
                self._topic.source, type_, _bytes(row.get("type_version") or self._topic.events[0].TYPE_VERSION)
            ),
            subject=key,
            id=str(state_id(self._topic.name, key.decode(), version)).encode(),
            sequence=str(version).encode(),
            time=occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z").encode(),
            actor=_bytes(row.get("actor") or "system"),
            correlation_id=_bytes(row.get("correlation_id") or state_id(self._topic.name, key.decode(), version)),
            causation_id=_optional(row.get("causation_id")),
            traceparent=_optional(row.get("traceparent")),
        )


async def versions(conn: psycopg.AsyncConnection[Any], topic: StateTopic, keys: list[str]) -> dict[str, int]:
    """The versions of these keys' rows as they are now; a key without a row is absent."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(topic.query.encode(), {"keys": keys})
    return {_bytes(row["key"]).decode(): int(row["version"]) for row in await cursor.fetchall()}


async def settle(conn: psycopg.AsyncConnection[Any], topic: str, marks: Sequence[bytes]) -> None:
    """Delete exactly these marks. Never a range: one committed meanwhile, its id among theirs, would go unsent."""
    ids = "{" + b",".join(marks).decode() + "}"
    cursor = psycopg.AsyncRawCursor(conn)
    await cursor.execute(b"DELETE FROM outbox WHERE topic = $1 AND id = ANY($2::bigint[])", [topic, ids], prepare=True)


async def _marks(
    conn: psycopg.AsyncConnection[Any], query: str, topic: str, limit: int, skip: Sequence[bytes]
) -> list[tuple[Any, ...]]:
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    if skip:
        # Of many ids not prepared: known to the planner `<> ALL` is one hash table, in a generic plan it is a list
        # search per row. Of few that costs nothing, and planning anew for each event that is on its way would.
        ids = "{" + b",".join(skip).decode() + "}"
        await cursor.execute(query.replace("{skip}", _SKIP).encode(), [topic, limit, ids], prepare=len(skip) <= _FEW)
    else:
        await cursor.execute(query.replace("{skip}", "").encode(), [topic, limit], prepare=True)
    return await cursor.fetchall()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _optional(value: object) -> bytes | None:
    return None if value is None else _bytes(value)
