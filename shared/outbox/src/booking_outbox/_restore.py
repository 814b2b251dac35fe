"""The check on taking the lead: is the store at least as new as its topics (F53)?

After a restore from an older copy the store would give out versions that the topics already have, with other content:
consumers would drop them as duplicates, silently, for ever. So each of the last records of ours must be known: an
event by its id in ``events``, a state row by a version that is at least the record's. Not the last record alone: the
order of commits is not that of marks, so a backup may hold the last one and miss one before it.

All partitions are read at once, in one bounded poll, and looked up at once: nothing is published meanwhile.
"""
# pyright: reportMissingTypeStubs=false

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within
from booking_contracts.envelope import Envelope, read_headers
from booking_contracts.errors import Undecodable
from booking_contracts.ids import state_id
from booking_outbox._errors import StoreOlderThanTopic, Unpublished
from booking_outbox._lead import Lead
from booking_outbox._reading import EventTopic, Published, StateTopic, versions
from booking_outbox._topic_ids import topic_ids

LOOK_BACK = 1_000
"""Offsets per partition. More than one leader ever had in flight between two commits, and read in a moment."""
_SECONDS = 15.0
# A partition that is read to its end would keep its broker's answer, and with it the others', waiting for so long.
_FETCH_WAIT_MS = 20
_UNKNOWN = "SELECT u.id FROM unnest(%s::uuid[]) u(id) WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = u.id)"

_Record = ConsumerRecord[bytes, bytes]
_Places = dict[TopicPartition, list[tuple[int, Envelope]]]


async def check_restore(lead: Lead, topics: Sequence[Published], *, bootstrap: str, prefix: str) -> None:
    """StoreOlderThanTopic unless the last 1,000 records of each partition that are ours are in the store, or accepted.

    Unpublished when Kafka does not give them within 15 s.
    """
    if not topics:
        return
    accepted = await _accepted(lead)
    found = await _last_of_ours(topics, accepted, bootstrap=bootstrap, prefix=prefix)
    for topic in topics:
        places = {place: records for place, records in found.items() if place.topic == prefix + topic.topic.name}
        missing = await (
            _unknown_events(lead, places) if isinstance(topic, EventTopic) else _newer_rows(lead, topic, places)
        )
        if missing:
            place, offset, what = missing[0]
            raise StoreOlderThanTopic(
                f"{place.topic}/{place.partition}, offset {offset}: {what} ({len(missing)} such records were seen). "
                "The store seems restored from a copy older than the topic; see `booking-ops republish --accept-topic`"
            )


class Incarnation(NamedTuple):
    """A topic as it is now: its id, and of each partition the offset that the next record will have."""

    topic_id: str
    ends: Mapping[int, int]


async def incarnations(topics: Sequence[Published], *, bootstrap: str, prefix: str) -> dict[str, Incarnation]:
    """By logical name. Unpublished as above."""
    async with _consumer(bootstrap) as consumer:
        names = {prefix + topic.topic.name: topic.topic.name for topic in topics}
        ends = await consumer.end_offsets(await _partitions(consumer, list(names)))
        ids = await topic_ids(consumer._client, list(names))  # noqa: SLF001 - aiokafka offers no other way
    return {
        logical: Incarnation(ids[name], {place.partition: end for place, end in ends.items() if place.topic == name})
        for name, logical in names.items()
    }


async def accept(lead: Lead, topics: Mapping[str, Incarnation]) -> None:
    """Record that what the topics hold before these ends may be unknown to the store."""
    for topic, now in topics.items():
        for partition, end in now.ends.items():
            await lead.conn.execute(
                "INSERT INTO outbox_accepted (topic, partition, up_to) VALUES (%s, %s, %s) "
                "ON CONFLICT (topic, partition) DO UPDATE SET up_to = excluded.up_to, accepted_at = now()",
                [topic, partition, end - 1],
            )
            lead.heard()


@asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncGenerator[Any]:
    """A consumer of no group; everything done with it takes 15 s at most, else Unpublished."""
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap),
        client_id="relay-check",
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            await within(_SECONDS, consumer.start())
            yield consumer
    except (TimeoutError, KafkaError) as error:
        raise Unpublished(f"the topics' last records could not be read: {error!r}") from error
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await within(2, consumer.stop())  # it may hang (K9)


async def _partitions(consumer: Any, names: Sequence[str]) -> list[TopicPartition]:
    await consumer.end_offsets([TopicPartition(name, 0) for name in names])  # the client knows topics it was asked for
    return [TopicPartition(name, p) for name in names for p in sorted(consumer.partitions_for_topic(name) or ())]


async def _last_of_ours(
    topics: Sequence[Published],
    accepted: Mapping[tuple[str, int], int],
    *,
    bootstrap: str,
    prefix: str,
) -> _Places:
    """Offsets and envelopes of our records among the last of each partition, without those that were accepted."""
    catalogue = {prefix + topic.topic.name: topic for topic in topics}
    found: _Places = {}
    async with _consumer(bootstrap) as consumer:
        partitions = await _partitions(consumer, list(catalogue))
        firsts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        starts = {
            place: max(
                firsts[place],
                ends[place] - LOOK_BACK,
                accepted.get((catalogue[place.topic].topic.name, place.partition), -1) + 1,
            )
            for place in partitions
        }
        unread = {place for place in partitions if starts[place] < ends[place]}
        consumer.assign(list(unread))
        for place in unread:
            consumer.seek(place, starts[place])
        while unread:
            fetched: dict[TopicPartition, list[_Record]] = await consumer.getmany(timeout_ms=_FETCH_WAIT_MS)
            for place, records in fetched.items():
                ours = [(r.offset, e) for r in records if (e := _ours(catalogue[place.topic], r)) is not None]
                found.setdefault(place, []).extend(ours)
            # By position, not by the last record seen: the last ones may be compacted away or deleted.
            unread = {place for place in unread if await consumer.position(place) < ends[place]}
    return found


def _ours(published: Published, record: _Record) -> Envelope | None:
    """The envelope of a record that we wrote: it decodes and has our source; on a state topic its id is the one that we
    give a key's version."""
    topic = published.topic
    source = published.source if isinstance(published, StateTopic) else topic.source
    try:
        envelope = read_headers(record.headers, record.key)
    except Undecodable:
        return None
    if envelope.source != source or record.key != envelope.subject.encode():  # we write no capitals
        return None
    if topic.state and envelope.id != state_id(topic.name, envelope.subject, envelope.sequence or 0):
        return None
    return envelope


_Missing = list[tuple[TopicPartition, int, str]]


async def _unknown_events(lead: Lead, places: _Places) -> _Missing:
    ids = {envelope.id for records in places.values() for _, envelope in records}
    if not ids:
        return []
    cursor = await lead.conn.execute(_UNKNOWN, [list(ids)])
    unknown: set[UUID] = {row[0] for row in await cursor.fetchall()}
    lead.heard()
    return [
        (place, offset, f"event {envelope.id} is not in the store")
        for place, records in places.items()
        for offset, envelope in records
        if envelope.id in unknown
    ]


async def _newer_rows(lead: Lead, topic: StateTopic, places: _Places) -> _Missing:
    keys = {envelope.subject for records in places.values() for _, envelope in records}
    if not keys:
        return []
    have = await versions(lead.conn, topic, list(keys))
    lead.heard()
    return [
        (
            place,
            offset,
            f"version {envelope.sequence} of {envelope.subject}, of which the store has {row or 'none'}",
        )
        for place, records in places.items()
        for offset, envelope in records
        if (envelope.sequence or 0) > (row := have.get(envelope.subject, 0))
    ]


async def _accepted(lead: Lead) -> dict[tuple[str, int], int]:
    cursor = await lead.conn.execute("SELECT topic, partition, up_to FROM outbox_accepted")
    return {(topic.decode(), partition): up_to for topic, partition, up_to in await cursor.fetchall()}
