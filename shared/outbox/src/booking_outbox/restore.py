"""The check on taking the lead: is the store at least as new as its topics (F53)?

After a restore from an older copy the store would give out versions that the topics already have, with other events:
consumers would drop them as duplicates, silently, for ever. So the last record of ours in each partition must be in
``events``.
"""
# pyright: reportMissingTypeStubs=false

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from booking_contracts.envelope import read_headers
from booking_contracts.errors import Undecodable
from booking_contracts.topics import Topic
from booking_outbox.errors import StoreOlderThanTopic
from booking_outbox.lead import Lead

LOOK_BACK = 1_000


async def check_restore(
    lead: Lead, topics: Sequence[Topic], *, bootstrap: str, prefix: str, options: dict[str, Any]
) -> None:
    """StoreOlderThanTopic unless every partition's last record of ours is in the store or was accepted."""
    if not topics:
        return
    accepted = await _accepted(lead)
    async with _consumer(bootstrap, options) as consumer:
        for topic in topics:
            for partition in sorted(await _partitions(consumer, prefix + topic.name)):
                found = await _last_of_ours(consumer, topic, TopicPartition(prefix + topic.name, partition))
                if found is None or found[0] <= accepted.get((topic.name, partition), -1):
                    continue
                if not await _is_stored(lead, found[1]):
                    raise StoreOlderThanTopic(
                        f"{prefix}{topic.name}/{partition}, offset {found[0]}: event {found[1]} is not in the store. "
                        "It seems restored from a copy older than the topic; see `booking republish --accept-topic`"
                    )


async def accept_topics(
    lead: Lead, topics: Sequence[Topic], *, bootstrap: str, prefix: str, options: dict[str, Any]
) -> None:
    """Record that whatever the topics hold by now may be unknown to the store."""
    async with _consumer(bootstrap, options) as consumer:
        for topic in topics:
            partitions = [
                TopicPartition(prefix + topic.name, p) for p in await _partitions(consumer, prefix + topic.name)
            ]
            for partition, end in (await consumer.end_offsets(partitions)).items():
                await lead.conn.execute(
                    "INSERT INTO outbox_accepted (topic, partition, up_to) VALUES (%s, %s, %s) "
                    "ON CONFLICT (topic, partition) DO UPDATE SET up_to = excluded.up_to, accepted_at = now()",
                    [topic.name, partition.partition, end - 1],
                )
                lead.heard()


@asynccontextmanager
async def _consumer(bootstrap: str, options: dict[str, Any]) -> AsyncGenerator[Any]:
    security = {name: value for name, value in options.items() if name.startswith(("sasl_", "security_", "ssl_"))}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id="relay-check",
        enable_auto_commit=False,
        auto_offset_reset="none",
        **security,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> set[int]:
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - partitions_for_topic knows subscribed topics only
    return consumer.partitions_for_topic(topic) or set()


async def _last_of_ours(consumer: Any, topic: Topic, partition: TopicPartition) -> tuple[int, UUID] | None:
    """Offset and id of the last record that decodes, has our source, and whose key is its subject."""
    first = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    looked_at, span = end, 1
    while looked_at > max(first, end - LOOK_BACK):
        start = max(first, end - LOOK_BACK, looked_at - span)
        for record in reversed(await _read(consumer, partition, start, looked_at)):
            if (event_id := _ours(topic, record)) is not None:
                return record.offset, event_id
        looked_at, span = start, span * 10
    return None


async def _read(consumer: Any, partition: TopicPartition, start: int, end: int) -> list[ConsumerRecord[bytes, bytes]]:
    consumer.assign([partition])
    consumer.seek(partition, start)
    records: list[ConsumerRecord[bytes, bytes]] = []
    while await consumer.position(partition) < end:
        for fetched in (await consumer.getmany(partition, timeout_ms=1000)).values():
            records += [record for record in fetched if record.offset < end]
    return records


def _ours(topic: Topic, record: ConsumerRecord[bytes, bytes]) -> UUID | None:
    try:
        envelope = read_headers(record.headers)
    except Undecodable:
        return None
    ours = envelope.source == topic.source and record.key == envelope.subject.encode()
    return envelope.id if ours else None


async def _is_stored(lead: Lead, event_id: UUID) -> bool:
    cursor = await lead.conn.execute("SELECT 1 FROM events WHERE id = %s", [event_id])
    return await cursor.fetchone() is not None


async def _accepted(lead: Lead) -> dict[tuple[str, int], int]:
    cursor = await lead.conn.execute("SELECT topic, partition, up_to FROM outbox_accepted")
    return {(topic.decode(), partition): up_to for topic, partition, up_to in await cursor.fetchall()}
