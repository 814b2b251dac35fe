"""Reading one stream: to decide on it, to show its history, to see it as of an instant."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from booking_contracts.decode import from_store
from booking_contracts.event import Event
from booking_postgres import Prepared
from booking_store.append import IdempotencyKey

_STREAM = (
    "SELECT position, stream_type, stream_id, version, id, type, type_version, data::text, metadata ->> 'actor', "
    "metadata ->> 'causation_id', metadata ->> 'correlation_id', traceparent, occurred_at, recorded_at "
    "FROM events WHERE stream_id = $1 "
)
_LOAD = _STREAM + "ORDER BY version"
_LOAD_UP_TO = (
    _STREAM + "AND recorded_at <= coalesce($2::timestamptz, 'infinity') AND version <= coalesce($3::int, 2147483647) "
    "ORDER BY version"
)
_LATEST = _STREAM + "AND version < $2 ORDER BY version DESC LIMIT "
_TO_DECIDE = (
    "SELECT position, version, stream_type, type, type_version, data::text, occurred_at FROM events "
    "WHERE stream_id = $1"
)
# The key's record comes as one more row, last, so that a command keeps to two round trips: load and append.
_KEY = (
    " UNION ALL SELECT NULL, version, object_id::text, encode(sha, 'hex'), status, NULL, NULL "
    "FROM idempotency WHERE sub = $2 AND operation = $3 AND key = $4"
)
_IN_ORDER = " ORDER BY position"  # within a stream as by version; null comes last


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of ``events``. ``data`` is the JSON text, byte for byte as it was appended."""

    position: int
    stream_type: str
    stream_id: UUID
    version: int
    id: UUID
    type: str
    type_version: int
    data: str
    actor: str
    causation_id: str | None
    correlation_id: str
    traceparent: str | None
    occurred_at: datetime
    recorded_at: datetime

    @property
    def event(self) -> Event:
        """The domain event, upcast to today's version of its type; decoded anew at each access."""
        return from_store(self.type, self.type_version, self.data)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The record of an earlier success under an idempotency key; compare ``sha`` before you answer from it."""

    sha: bytes
    status: int
    object_id: UUID | None
    version: int | None


class LoadedEvent(NamedTuple):
    """What a decision needs of a stored event, as it came from the database."""

    version: int
    stream_type: str
    type: str
    type_version: int
    data: bytes
    occurred: bytes

    @property
    def event(self) -> Event:
        """The domain event, upcast to today's version of its type; decoded anew at each access."""
        return from_store(self.type, self.type_version, self.data)

    @property
    def occurred_at(self) -> datetime:
        """When it happened (the connection's zone is UTC)."""
        return datetime.fromisoformat(self.occurred.decode()).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stream, and what its idempotency key remembers."""

    events: list[LoadedEvent]
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


async def load_latest(conn: psycopg.AsyncConnection[Any], stream_id: UUID, *, limit: int, below: int) -> list[Stored]:
    """At most ``limit`` events of a stream, newest first, of versions under ``below``: a page of its history.

    It costs what the page costs, however long the stream is.
    """
    # The limit in the text: for a parameter PostgreSQL guesses a tenth of what there is and may plan every call anew.
    query = f"{_LATEST}{int(limit)}"
    return [Stored(*row) for row in await _rows(conn, query, [stream_id, below])]


async def load_with_key(conn: psycopg.AsyncConnection[Any], stream_id: UUID, key: IdempotencyKey | None) -> Loaded:
    """As `load`, and in the same round trip what the idempotency key remembers (needs booking_web's table).

    One statement sees one snapshot: with a remembered success the stream has that success's events.
    """
    return (await _DECIDING(conn, stream_id, key))[0]


class LoadBeside:
    """As `load_with_key`, and in the same round trip a text of the caller's own, to be shown beside the stream.

    ``beside`` is a query of one text, given the stream's id as ``$1``; None where it finds no row.
    """

    def __init__(self, beside: str = "") -> None:
        more = f" UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, ({beside}), NULL" if beside else ""
        self._without_key = Prepared(_TO_DECIDE + more + _IN_ORDER)
        self._with_key = Prepared(_TO_DECIDE + more + _KEY + _IN_ORDER)

    async def __call__(
        self, conn: psycopg.AsyncConnection[Any], stream_id: UUID, key: IdempotencyKey | None
    ) -> tuple[Loaded, bytes | None]:
        """The stream with its key's record, and the text."""
        if key is None:
            found = await self._without_key.run(conn, [str(stream_id)])
        else:
            found = await self._with_key.run(conn, [str(stream_id), key.sub, key.operation, key.key])
        rows, value = found.ntuples, found.get_value
        remembered: Remembered | None = None
        beside: bytes | None = None
        while rows and value(rows - 1, 0) is None:
            rows -= 1
            if value(rows, 4) is None:
                beside = value(rows, 5)
            else:
                remembered = _remembered(*(value(rows, column) for column in range(1, 5)))
        events = [_event(*(value(row, column) for column in range(1, 7))) for row in range(rows)]
        return Loaded(events, remembered), beside


_DECIDING = LoadBeside()


def _event(*columns: bytes | None) -> LoadedEvent:
    version, stream_type, name, type_version, data, occurred = cast("tuple[bytes, ...]", columns)
    return LoadedEvent(int(version), stream_type.decode(), name.decode(), int(type_version), data, occurred)


def _remembered(version: bytes | None, object_id: bytes | None, sha: bytes | None, status: bytes | None) -> Remembered:
    assert sha is not None
    assert status is not None
    return Remembered(
        bytes.fromhex(sha.decode()),
        int(status),
        None if object_id is None else UUID(object_id.decode()),
        None if version is None else int(version),
    )


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    # A raw cursor: psycopg passes the text on as it is instead of looking for placeholders at every call.
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    await cursor.execute(query.encode(), parameters, prepare=True)
    return await cursor.fetchall()
