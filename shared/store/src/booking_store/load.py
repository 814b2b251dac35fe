"""Reading one stream: to decide on it, to show its history, to see it as of an instant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from booking_store.cause import IdempotencyKey
from booking_store.stored import Stored

_COLUMNS = (
    "position, stream_type, stream_id, version, id, type, type_version, data::text, actor, causation_id, "
    "correlation_id, traceparent, occurred_at, recorded_at"
)
_LOAD = f"SELECT {_COLUMNS} FROM events WHERE stream_id = $1 ORDER BY version"  # noqa: S608 - constants only
_LOAD_UP_TO = (
    f"SELECT {_COLUMNS} FROM events WHERE stream_id = $1 AND recorded_at <= coalesce($2::timestamptz, 'infinity') "  # noqa: S608
    "AND version <= coalesce($3::int, 2147483647) ORDER BY version"
)
# The key's record comes as one more row, last, so that a command keeps to two round trips: load and append.
_LOAD_WITH_KEY = (
    f"SELECT {_COLUMNS} FROM events WHERE stream_id = $1 UNION ALL "  # noqa: S608
    "SELECT NULL, NULL, object_id, version, NULL, NULL, status, encode(sha, 'hex'), sub, NULL, key, NULL, NULL, NULL "
    "FROM idempotency WHERE sub = $2 AND operation = $3 AND key = $4 "
    "ORDER BY position"  # within a stream as by version, and null comes last
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The record of an earlier success under an idempotency key; compare ``sha`` before you answer from it."""

    sha: bytes
    status: int
    object_id: UUID | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stream, and what its idempotency key remembers."""

    events: list[Stored]
    remembered: Remembered | None

    @property
    def version(self) -> int:
        """The version to expect at the append; 0 when there is no stream yet."""
        return self.events[-1].version if self.events else 0


async def load(
    conn: psycopg.AsyncConnection[Any],
    stream_id: UUID,
    *,
    up_to: datetime | None = None,
    up_to_version: int | None = None,
) -> list[Stored]:
    """The events of a stream in version order; an empty list when there is none.

    ``up_to`` keeps those recorded by that instant (``as_of``). As ``recorded_at`` never decreases within a stream,
    what is left is always a prefix of it, whatever the servers' clocks did.
    """
    if up_to is None and up_to_version is None:
        rows = await _rows(conn, _LOAD, [stream_id])
    else:
        rows = await _rows(conn, _LOAD_UP_TO, [stream_id, up_to, up_to_version])
    return [Stored(*row) for row in rows]


async def load_with_key(conn: psycopg.AsyncConnection[Any], stream_id: UUID, key: IdempotencyKey | None) -> Loaded:
    """As `load`, and in the same round trip what the idempotency key remembers (needs the chassis's table).

    One statement sees one snapshot: with a remembered success the stream has that success's events.
    """
    if key is None:
        return Loaded(await load(conn, stream_id), None)
    rows = await _rows(conn, _LOAD_WITH_KEY, [stream_id, key.sub, key.operation, key.key])
    remembered = None
    if rows and rows[-1][0] is None:
        last = rows.pop()
        remembered = Remembered(bytes.fromhex(last[7]), last[6], last[2], last[3])
    return Loaded([Stored(*row) for row in rows], remembered)


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    # A raw cursor: psycopg passes the text on as it is instead of looking for placeholders at every call.
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    await cursor.execute(query.encode(), parameters, prepare=True)
    return await cursor.fetchall()
