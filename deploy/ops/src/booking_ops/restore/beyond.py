"""What a topic holds beyond its store: events by their ids, in the order in which the topic first tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded, Record, decode
from booking_contracts.envelope import traceparent_in
from booking_contracts.errors import Undecodable
from booking_contracts.event import Event
from booking_contracts.topics import Topic
from booking_ops.audit.section import Progress
from booking_ops.audit.topics import read_topic

_PAGE = 5_000
_UNKNOWN = "SELECT u.id FROM unnest(%s::uuid[]) u(id) WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = u.id)"


@dataclass(frozen=True, slots=True)
class Told:
    """One event as its record tells it, with the bytes that its store had."""

    id: UUID
    stream_id: UUID
    version: int
    type: str
    type_version: int
    data: str
    metadata: str
    traceparent: str | None
    occurred_at: datetime
    recorded_at: datetime
    event: Event


@dataclass(slots=True)
class Beyond:
    """What the store lacks, by stream; ``doubled`` are ids that the topic tells at a version that another one has."""

    streams: dict[UUID, list[Told]]
    doubled: list[Told]
    ids: set[UUID]
    """Of all that the topic tells of streams that lack something."""


async def beyond(
    conn: psycopg.AsyncConnection[Any], bootstrap: str, topic: Topic, prefix: str, progress: Progress | None = None
) -> Beyond:
    """Read one event topic from its beginning to the ends as of now, and keep what is not in the store."""
    found = Beyond({}, [], set())
    taken: dict[tuple[UUID, int], UUID] = {}
    async for page in _pages(_ours(read_topic(bootstrap, prefix + topic.name, progress), topic)):
        cursor = await conn.execute(_UNKNOWN, [[one.meta.id for one in page]])
        unknown = {id_ for (id_,) in await cursor.fetchall()}
        for one in page:
            if one.meta.id not in unknown or one.meta.id in found.ids:
                continue
            found.ids.add(one.meta.id)
            told = _told(one)
            first = taken.setdefault((told.stream_id, told.version), told.id)
            if first == told.id:
                found.streams.setdefault(told.stream_id, []).append(told)
            else:
                found.doubled.append(told)
    return found


async def _ours(records: AsyncIterator[Any], topic: Topic) -> AsyncIterator[Decoded]:
    async for raw in records:
        record = Record(
            topic.name, raw.partition, raw.offset, raw.key, raw.value, tuple(raw.headers), timestamp_ms=raw.timestamp
        )
        try:
            one = decode(record)
        except Undecodable:  # nobody's: the audit counts it
            continue
        if one.event is not None and one.meta.source == topic.source:
            yield one


async def _pages(found: AsyncIterator[Decoded]) -> AsyncIterator[list[Decoded]]:
    page: list[Decoded] = []
    async for one in found:
        page.append(one)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _told(one: Decoded) -> Told:
    event, meta, record = one.event, one.meta, one.record
    assert event is not None
    headers = dict(record.headers)
    return Told(
        id=meta.id,
        stream_id=UUID(meta.subject),
        version=meta.sequence or 0,
        type=event.TYPE,
        type_version=int((headers["ce_type"] or b"").rpartition(b".v")[2]),
        data=(record.value or b"").decode(),
        metadata=(headers["ce_metadata"] or b"").decode(),
        traceparent=traceparent_in(record.headers),
        occurred_at=meta.time.astimezone(UTC),
        recorded_at=record.recorded_at,
        event=event,
    )
