"""Publishing again: a stream, a time range, or everything, while holding the leader's lock.

What still has a mark is left to the relay: it was committed after we took the lock, or never published. Without that
rule a transaction that commits while we read could have its event passed by a later version of its stream, which we
would send first.

Readers elsewhere are told by notices: before the first copy, after the last, and of an accepted restore.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL

from booking_contracts.topics import Topic
from booking_outbox._encoding import outgoing
from booking_outbox._errors import LockBusy
from booking_outbox._lead import Lead
from booking_outbox._notices import Notices
from booking_outbox._reading import EVENT_COLUMNS, EventTopic, Published, StateTopic
from booking_outbox._restore import accept, incarnations
from booking_outbox._sender import Sender

_SELECTED = SQL("""
FROM events e
WHERE e.type = ANY($1::text[]) AND e.position > $2::bigint
  AND ($3::uuid IS NULL OR e.stream_id = $3::uuid)
  AND ($4::timestamptz IS NULL OR e.recorded_at >= $4::timestamptz)
  AND ($5::timestamptz IS NULL OR e.recorded_at < $5::timestamptz)
  AND ($7::uuid IS NULL OR e.stream_id >= $7::uuid)
  AND ($8::uuid IS NULL OR e.stream_id <= $8::uuid)
  AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.topic = $6 AND o.position = e.position)
""")
_EVENTS = SQL("SELECT e.position, e.stream_id::text, {columns} {selected} ORDER BY e.position LIMIT 5000").format(
    columns=EVENT_COLUMNS, selected=_SELECTED
)
_STATES = SQL("INSERT INTO outbox (topic, key) SELECT DISTINCT $9::text, e.stream_id::text {selected}").format(
    selected=_SELECTED
)

_ROWS = SQL("""
INSERT INTO outbox (topic, key) SELECT %(topic)s, key::text FROM ({keys}) everything
WHERE (%(first)s::uuid IS NULL OR key::text >= %(first)s::uuid::text)
  AND (%(last)s::uuid IS NULL OR key::text <= %(last)s::uuid::text)
""")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to publish again; nothing said: everything. The times are of ``recorded_at``, [since, until); of a range of
    keys both ends are meant."""

    stream_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    first_key: UUID | None = None
    last_key: UUID | None = None

    @property
    def everything(self) -> bool:
        """Whether state rows are meant too, though nobody named their topic: they have no time."""
        return self == Selection()

    def rows_of(self, named: bool) -> bool:
        """Whether a state topic's rows are meant; ``named``: somebody asked for this very topic."""
        return self.everything or (named and self.since is None and self.until is None)


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
    only: Collection[str] | None = None,
    progress: Callable[[str, int], object] = lambda _topic, _sent: None,
) -> Republished:
    """Publish the selection again, in version order per stream; the relay goes on when it is done.

    The rows of a state topic that follows an event topic (`EventTopic.states`) go with the events of their streams,
    unless ``only`` leaves them out.

    ``only`` names some of the topics; then rows of a state topic may be selected by their keys. ``progress`` is told a
    topic and how many of its events are sent. ``accept_topic`` first accepts what the topics hold though the store
    doesn't know it (after a restore). Readers elsewhere are told of both by notices, whose topic must be there. Raises
    LockBusy when the leader doesn't step down within ``wait`` seconds, and Unpublished when Kafka refuses; it is safe
    to run again.
    """
    options = kafka_options or {}
    async with lock(database_url, lock_name, wait) as lead:
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
                name = topic.topic.name
                if only is not None and name not in only:
                    continue
                if isinstance(topic, EventTopic):
                    sender = Sender(bootstrap, topic_prefix + name, options)
                    events[name] = await _events(lead, topic, selection, sender, notices=notices, progress=progress)
                    if topic.states is not None and only is None and events[name] and not selection.everything:
                        state_keys[topic.states.name] = await _states(lead, topic, topic.states, selection, notices)
                elif selection.rows_of(named=only is not None):
                    state_keys[name] = await _rows(lead, topic, selection, notices)
        finally:
            await notices.close()
    return Republished(events, state_keys)


@asynccontextmanager
async def lock(url: str, lock_name: str, wait: float) -> AsyncGenerator[Lead]:
    """The leader's lock, so that nothing is published meanwhile. LockBusy when it isn't given up in time."""
    lead = await Lead.open(url, lock_name)
    try:
        if not await lead.wait_lock(wait):
            raise LockBusy(f"the relay did not give its lock ({lock_name}) up within {wait:g} s")
        heartbeat = asyncio.create_task(lead.keep())
        try:
            yield lead
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
    finally:
        await lead.release()


async def _events(
    lead: Lead,
    topic: EventTopic,
    selection: Selection,
    sender: Sender,
    *,
    notices: Notices,
    progress: Callable[[str, int], object],
) -> int:
    sent, position, notice = 0, 0, None
    try:
        while True:
            cursor = psycopg.AsyncRawCursor(lead.conn)
            await cursor.execute(_EVENTS, _parameters(topic, selection, position))
            rows = await cursor.fetchall()
            lead.heard()
            if not rows:
                break
            notice = notice or await notices.began(topic.topic, whole=selection.everything)
            await sender.send([outgoing(topic.topic.source, row) for row in rows], lead)
            sent, position = sent + len(rows), rows[-1][0]
            progress(topic.topic.name, sent)
    finally:
        await sender.close()
    if notice is not None:
        await notices.ended(topic.topic, notice, sent, sender.stretches)
    return sent


def _parameters(topic: EventTopic, selection: Selection, position: int) -> list[Any]:
    types = "{" + ",".join(event.TYPE for event in topic.topic.events) + "}"
    times = (selection.since, selection.until)
    keys = (selection.first_key, selection.last_key)
    return [types, position, selection.stream_id, *times, topic.topic.name, *keys]


async def _states(lead: Lead, topic: EventTopic, states: Topic, selection: Selection, notices: Notices) -> int:
    """Mark the rows of the streams whose events were selected; how many."""
    notice = await notices.began(states, whole=False)
    cursor = psycopg.AsyncRawCursor(lead.conn)
    await cursor.execute(_STATES, [*_parameters(topic, selection, 0), states.name])
    lead.heard()
    await notices.ended(states, notice, cursor.rowcount, ())
    return cursor.rowcount


async def _rows(lead: Lead, topic: StateTopic, selection: Selection, notices: Notices) -> int:
    notice = await notices.began(topic.topic, whole=selection.everything)
    marked = await _mark(lead, topic, selection)
    await notices.ended(topic.topic, notice, marked, ())
    return marked


async def _mark(lead: Lead, topic: StateTopic, selection: Selection) -> int:
    if not topic.all_keys:
        raise ValueError(f"{topic.topic.name}: its StateTopic needs `all_keys` to be republished")
    first, last = selection.stream_id or selection.first_key, selection.stream_id or selection.last_key
    cursor = await lead.conn.execute(
        _ROWS.format(keys=SQL(topic.all_keys)),
        {"topic": topic.topic.name, "first": first, "last": last},
    )
    lead.heard()
    return cursor.rowcount
