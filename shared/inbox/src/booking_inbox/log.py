"""A topic read from its first record to its end, beside whatever consumes it: for read models to be made or filled."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition  # pyright: ignore[reportMissingTypeStubs]

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded, decode
from booking_contracts.errors import ContractError
from booking_contracts.records import from_aiokafka
from booking_contracts.topics import Topic

BATCH = 1_000


class Log:
    """A topic from its first record on, without a consumer group: reading it moves nobody's place."""

    def __init__(self, consumer: Any, partitions: Sequence[TopicPartition], prefix: str) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._prefix = prefix
        self.read = 0
        self.skipped = 0
        self.total = 0

    async def until_end(self) -> AsyncGenerator[list[Decoded]]:
        """Yield batches up to the end that the topic has now."""
        ends = await self._consumer.end_offsets(self._partitions)
        self.total = sum(ends.values())
        while [p for p in self._partitions if await self._consumer.position(p) < ends[p]]:
            fetched = await self._consumer.getmany(timeout_ms=500, max_records=BATCH)
            batch = [one for records in fetched.values() for raw in records if (one := self._decoded(raw))]
            if batch:
                yield batch

    def _decoded(self, raw: Any) -> Decoded | None:
        self.read += 1
        try:
            return decode(from_aiokafka(raw, self._prefix))
        except ContractError:
            self.skipped += 1
            return None


@asynccontextmanager
async def log_of(topic: Topic, bootstrap: str, prefix: str, *, only: int | None = None) -> AsyncGenerator[Log]:
    """Open a topic, or one partition of it, at its beginning."""
    consumer: Any = AIOKafkaConsumer(
        **client_options(bootstrap), auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with connected(consumer):
        numbers = range(topic.partitions) if only is None else [only]
        partitions = [TopicPartition(prefix + topic.name, number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield Log(consumer, partitions, prefix)
