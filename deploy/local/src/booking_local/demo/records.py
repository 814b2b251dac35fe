"""What Kafka shows while the demo plays: every record of the catalogue's topics, as it arrives."""

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from booking_contracts.topics import TOPICS


@dataclass(frozen=True, slots=True)
class Seen:
    """One record's place and identity."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str


class Records:
    """Reads all topics from their present ends, in the background, into a table by event id."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="latest", fetch_max_wait_ms=100
        )
        self.by_id: dict[str, Seen] = {}
        self._arrived = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        partitions = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)
        for partition in partitions:
            await self._consumer.position(partition)  # fixes "the end" now, not at the first fetch
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self._consumer.stop()

    async def find(self, ids: list[str], *, seconds: float) -> list[Seen]:
        """The records of these events, in the order asked, as soon as all are there. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not all(one in self.by_id for one in ids):
                self._arrived.clear()
                await self._arrived.wait()
        return [self.by_id[one] for one in ids]

    async def _read(self) -> None:
        async for record in self._consumer:
            seen = see(record)
            if seen is not None:
                self.by_id.setdefault(seen.id, seen)
                self._arrived.set()


def see(record: ConsumerRecord) -> Seen | None:
    """A record's place and identity; None for one without an id."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value is not None}
    if "ce_id" not in headers:
        return None
    key = (record.key or b"").decode("utf-8", "replace")
    kind = headers.get("ce_type", "").rpartition(".v")[0].rpartition(".")[2]
    return Seen(record.topic, record.partition, record.offset, key, headers["ce_id"], kind)
