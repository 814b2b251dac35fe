"""Publishing again: a stream, a time range, or everything, while holding the leader's lock.

What still has a mark is left to the relay: it was committed after we took the lock, or never published. Without that
rule a transaction that commits while we read could have its event passed by a later version of its stream, which we
would send first.

Readers elsewhere are told by notices: before the first copy, after the last, and of an accepted restore.
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

from booking_outbox._encoding import outgoing
from booking_outbox._errors import LockBusy
from booking_outbox._lead import Lead
from booking_outbox._notices import Notices
from booking_outbox._reading import EVENT_COLUMNS, EventTopic, Published, StateTopic
from booking_outbox._restore import accept, incarnations
from booking_outbox._sender import Sender

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

    ``accept_topic`` first accepts what the topics hold though the store doesn't know it (after a restore). Readers
    elsewhere are told of both by notices, whose topic must be there. Raises LockBusy when the leader doesn't step down
    within ``wait`` seconds, and Unpublished when Kafka refuses; it is safe to run again.
    """
    options = kafka_options or {}
    async with _lock(database_url, lock_name, wait) as lead:
        now = await incarnations(topics, bootstrap=bootstrap, prefix=topic_prefix)
        notices = Notices(lead, now, bootstrap=bootstrap, prefix=topic_prefix, options=options)
        try:
            if accept_topic:
                for topic in topics:
                    await notices.restored(topic.topic)
                await accept(lead, now)
            events: dict[str, int] = {}
            state_keys: dict[str, int] = {}
            for topic in topics:
                if isinstance(topic, EventTopic):
                    sender = Sender(bootstrap, topic_prefix + topic.topic.name, options)
                    events[topic.topic.name] = await _events(lead, topic, selection, sender, notices)
                elif selection.everything:
                    state_keys[topic.topic.name] = await _rows(lead, topic, notices)
        finally:
            await notices.close()
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


async def _events(lead: Lead, topic: EventTopic, selection: Selection, sender: Sender, notices: Notices) -> int:
    types = "{" + ",".join(event.TYPE for event in topic.topic.events) + "}"
    sent, position, notice = 0, 0, None
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
                break
            notice = notice or await notices.began(topic.topic, whole=selection.everything)
            await sender.send([outgoing(topic.topic.source, row) for row in rows], lead)
            sent, position = sent + len(rows), rows[-1][0]
    finally:
        await sender.close()
    if notice is not None:
        await notices.ended(topic.topic, notice, sent, sender.stretches)
    return sent


async def _rows(lead: Lead, topic: StateTopic, notices: Notices) -> int:
    notice = await notices.began(topic.topic, whole=True)
    marked = await _mark_all(lead, topic)
    await notices.ended(topic.topic, notice, marked, ())
    return marked


async def _mark_all(lead: Lead, topic: StateTopic) -> int:
    if not topic.all_keys:
        raise ValueError(f"{topic.topic.name}: its StateTopic needs `all_keys` to be republished")
    mark = SQL("INSERT INTO outbox (topic, key) SELECT %s, key::text FROM ({keys}) everything")
    cursor = await lead.conn.execute(mark.format(keys=SQL(topic.all_keys)), [topic.topic.name])
    lead.heard()
    return cursor.rowcount
