"""I6, I9: the read rows of the deciding services against the fold of their streams.

The fold is the service's own: the very functions that wrote the row, applied to the stored events again from the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from booking_contracts.decode import from_store
from booking_contracts.event import Event
from booking_proof.audit.section import Difference, Progress, Row, Section, compare, rows

Told = tuple[Event, datetime]
Fold = Callable[[Iterable[Told]], Row]

_STREAMS = """
    SELECT stream_id, version, type, type_version, data::text AS data, occurred_at FROM events
    WHERE stream_type = %(stream_type)s ORDER BY stream_id, version"""

_HOW_MANY = "SELECT count(*) FROM events WHERE stream_type = %(stream_type)s"


def session_row(events: Iterable[Told]) -> Row:
    """Return the columns of `feedback_session` that a session's events give."""
    from consultation.sessions.state import fold  # noqa: PLC0415
    from consultation.sessions.store import row  # noqa: PLC0415  (only an audit in a checkout folds a service's streams)

    return row(fold(event for event, _ in events))  # pyright: ignore[reportArgumentType]


def transaction_row(events: Iterable[Told]) -> Row:
    """Return the columns of `transaction` that a Transaction's events give."""
    from checkout.transactions.state import fold  # noqa: PLC0415
    from checkout.transactions.store import read_row  # noqa: PLC0415

    return read_row(fold(events))  # pyright: ignore[reportArgumentType]


async def audit_fold(
    url: str, table: str, stream_type: str, fold: Fold, *, progress: Progress | None = None
) -> Section:
    """Compare every row of one read table with the fold of its stream, as of one snapshot."""
    section = Section(f"{table} = fold of its events")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn, conn.transaction():
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        section.counts["events"] = 0
        total: Any = await (await conn.execute(_HOW_MANY, {"stream_type": stream_type})).fetchone()
        folded = _folded(conn, stream_type, fold, section, lambda done: progress and progress(done, total[0]))
        first = await anext(folded, None)
        columns = sql.SQL(", ").join(map(sql.Identifier, first or ("id",)))  # no stream: then no row either
        found = rows(conn, "found", sql.SQL("SELECT {} FROM {} ORDER BY id").format(columns, sql.Identifier(table)))
        remedy = "a defect: report it with the row"
        await compare(section, "id", _again(first, folded), found, invariant="I6", remedy=remedy)
    return section


async def _again(first: Row | None, rest: AsyncIterator[Row]) -> AsyncIterator[Row]:
    if first is not None:
        yield first
    async for row in rest:
        yield row


async def _folded(
    conn: psycopg.AsyncConnection[Any], stream_type: str, fold: Fold, section: Section, seen: Callable[[int], object]
) -> AsyncIterator[Row]:
    async for stream_id, stored in _streams(rows(conn, "streams", _STREAMS, {"stream_type": stream_type})):
        section.counts["events"] += len(stored)
        if section.counts["events"] % 1_000 < len(stored):
            seen(section.counts["events"])
        told = [(from_store(one["type"], one["type_version"], one["data"]), one["occurred_at"]) for one in stored]
        try:
            yield {"id": stream_id, "version": stored[-1]["version"], **fold(told)}
        except Exception as broken:  # noqa: BLE001 - whatever the fold says of a stream is the finding
            section.differences.append(Difference("I9", f"stream {stream_id} cannot be folded: {broken}", "report it"))


async def _streams(events: AsyncIterator[Row]) -> AsyncIterator[tuple[UUID, list[Row]]]:
    stream: list[Row] = []
    async for event in events:
        if stream and stream[-1]["stream_id"] != event["stream_id"]:
            yield stream[-1]["stream_id"], stream
            stream = []
        stream.append(event)
    if stream:
        yield stream[-1]["stream_id"], stream
