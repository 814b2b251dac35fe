"""Publishing again: a stream, a time range, or everything, while holding the leader's lock.

What still has a mark is left to the relay: it was committed after we took the lock, or never published. Without that
rule a transaction that commits while we read could have its event passed by a later version of its stream, which we
would send first.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL

from booking_contracts.ids import partition_of
from booking_outbox._encoding import Outgoing, outgoing
from booking_outbox._errors import LockBusy, Unpublished
from booking_outbox._lead import Lead
from booking_outbox._publisher import Publisher
from booking_outbox._reading import EVENT_COLUMNS, EventTopic, Published, StateTopic
from booking_outbox._restore import accept_topics

_TRIES = 5
_EVENTS = SQL("""
SELECT e.position, e.stream_id::text, {columns}
FROM events e
WHERE e.type = ANY($1::text[]) AND e.position > $2::bigint
  AND ($3::uuid IS NULL OR e.stream_id = $3::uuid)
  AND ($4::timestamptz IS NULL OR e.recorded_at >= $4::timestamptz)
  AND ($5::timestamptz IS NULL OR e.recorded_at < $5::timestamptz)
  AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.topic = $6 AND o.position = e.position)
ORDER BY e.position
LIMIT 5000
""").format(columns=EVENT_COLUMNS)


@dataclass(frozen=True, slots=True)
class Selection:
    """What to publish again; nothing said: everything. The times are of ``recorded_at``, [since, until)."""

    stream_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Whether state rows are meant too: they have neither stream nor time."""
        return self.stream_id is None and self.since is None and self.until is None


@dataclass(frozen=True, slots=True)
class Republished:
    """Records sent, by topic's logical name; of state topics the keys marked for the relay."""

    events: dict[str, int]
    state_keys: dict[str, int]


async def republish(
    *,
    database_url: str,
    bootstrap: str,
    topics: Sequence[Published],
    lock_name: str,
    topic_prefix: str = "",
    selection: Selection = Selection(),
    accept_topic: bool = False,
    wait: float = 30.0,
    kafka_options: dict[str, Any] | None = None,
) -> Republished:
    """Publish the selection again, in version order per stream; the relay goes on when it is done.

    ``accept_topic`` first accepts what the topics hold though the store doesn't know it (after a restore). Raises
    LockBusy when the leader doesn't step down within ``wait`` seconds, and Unpublished when Kafka refuses; it is safe
    to run again.
    """
    options = kafka_options or {}
    async with _lock(database_url, lock_name, wait) as lead:
        if accept_topic:
            await accept_topics(lead, topics, bootstrap=bootstrap, prefix=topic_prefix)
        events: dict[str, int] = {}
        state_keys: dict[str, int] = {}
        for topic in topics:
            if isinstance(topic, EventTopic):
                sender = _Sender(bootstrap, topic_prefix + topic.topic.name, options)
                events[topic.topic.name] = await _events(lead, topic, selection, sender)
            elif selection.everything:
                state_keys[topic.topic.name] = await _mark_all(lead, topic)
    return Republished(events, state_keys)


@asynccontextmanager
async def _lock(url: str, lock_name: str, wait: float) -> AsyncGenerator[Lead]:
    lead = await Lead.open(url, lock_name)
    try:
        if not await lead.wait_lock(wait):
            raise LockBusy(f"the relay did not give its lock up within {wait:g} s")
        heartbeat = asyncio.create_task(lead.keep())
        try:
            yield lead
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
    finally:
        await lead.release()


async def _events(lead: Lead, topic: EventTopic, selection: Selection, sender: "_Sender") -> int:
    types = "{" + ",".join(event.TYPE for event in topic.topic.events) + "}"
    sent, position = 0, 0
    try:
        while True:
            cursor = psycopg.AsyncRawCursor(lead.conn)
            await cursor.execute(
                _EVENTS,
                [types, position, selection.stream_id, selection.since, selection.until, topic.topic.name],
            )
            rows = await cursor.fetchall()
            lead.heard()
            if not rows:
                return sent
            await sender.send([outgoing(topic.topic.source, row) for row in rows], lead)
            sent, position = sent + len(rows), rows[-1][0]
    finally:
        await sender.close()


async def _mark_all(lead: Lead, topic: StateTopic) -> int:
    if not topic.all_keys:
        raise ValueError(f"{topic.topic.name}: its StateTopic needs `all_keys` to be republished")
    mark = SQL("INSERT INTO outbox (topic, key) SELECT %s, key::text FROM ({keys}) everything")
    cursor = await lead.conn.execute(mark.format(keys=SQL(topic.all_keys)), [topic.topic.name])
    lead.heard()
    return cursor.rowcount


class _Sender:
    """Sends a page, each partition in order and all awaited; after a failure again as a whole, by a new producer."""

    def __init__(self, bootstrap: str, topic: str, options: dict[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._options = options
        self._publisher: Publisher | None = None

    async def send(self, records: Sequence[Outgoing], lead: Lead) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await self._try(records, lead)
            except Unpublished:
                if self._publisher is not None:
                    await self._publisher.discard()
                    self._publisher = None
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(attempt)
            else:
                return

    async def _try(self, records: Sequence[Outgoing], lead: Lead) -> None:
        publisher = self._publisher = self._publisher or await Publisher.start(self._bootstrap, options=self._options)
        partitions = await publisher.partitions(self._topic)
        by_partition: dict[int, list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault(partition_of(record.key, partitions), []).append(record)
        sends = [asyncio.create_task(self._partition(publisher, p, rs, lead)) for p, rs in by_partition.items()]
        try:
            await asyncio.gather(*sends)
        finally:
            for send in sends:
                send.cancel()
            await asyncio.gather(*sends, return_exceptions=True)

    async def _partition(self, publisher: Publisher, partition: int, records: Sequence[Outgoing], lead: Lead) -> None:
        for batch, _ in publisher.pack(records):
            lead.check()
            await publisher.send(self._topic, partition, batch)

    async def close(self) -> None:
        if self._publisher is not None:
            await self._publisher.stop()
            self._publisher = None
