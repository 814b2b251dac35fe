"""The producer: batches of one partition, each awaited to its deadline; after any failure it is thrown away (K1, K2,
K9, K9e).

Idempotence is off: aiokafka's idempotent producer keeps a failed batch's sequence number and wedges, and what it
would spare us, duplicates from its own retries, consumers drop by version anyway.
"""
# pyright: reportMissingTypeStubs=false

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within
from booking_outbox._encoding import Batch, Compression, Outgoing, codec
from booking_outbox._errors import Unpublished

# Under the topics' max.message.bytes (1 MiB), over the largest event (512 KiB) with its headers.
MAX_BATCH_BYTES = 900_000
_METADATA_SECONDS = 2.0


Packed = tuple[Batch, Sequence[Outgoing]]


class Publisher:
    """One producer's life. `start` one, and `discard` it at the first failure."""

    def __init__(self, producer: Any, deadline: float, compression: Compression = "none") -> None:
        self._producer = producer
        self._deadline = deadline
        self._compression: Compression = compression

    @classmethod
    async def start(cls, bootstrap: str, *, deadline: float = 10.0, options: dict[str, Any] | None = None) -> Self:
        """Connected, or Unpublished when no broker answers within the deadline (seconds, also that of each batch)."""
        options = dict(options or {})
        compression = codec(options.pop("compression_type", None))  # batches come to aiokafka packed
        producer = _Producer(
            **client_options(bootstrap),
            client_id="relay",
            acks="all",
            enable_idempotence=False,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=2 * MAX_BATCH_BYTES,
            request_timeout_ms=round(deadline * 1000),
            **options,
        )
        publisher = cls(producer, deadline, compression)
        try:
            await within(deadline, producer.start())
        except (KafkaError, OSError, TimeoutError) as error:
            await publisher.discard()
            raise Unpublished(f"no broker answers at {bootstrap}: {error!r}") from error
        return publisher

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; Unpublished when the broker doesn't know it.

        aiokafka asks for a missing topic ten times a second and logs each answer, so it is not let ask for long.
        """
        try:
            async with asyncio.timeout(min(self._deadline, _METADATA_SECONDS)):
                return len(await self._producer.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            raise Unpublished(f"{topic}: {error!r}") from error

    def known_partitions(self, topic: str) -> int:
        """As `partitions`, from what is known already; 0 when nothing is."""
        return len(self._producer.client.cluster.partitions_for_topic(topic) or ())

    def pack(self, records: Sequence[Outgoing]) -> list[Packed]:
        """The records as batches, in their order. All must be of one partition."""
        now = int(time.time() * 1000)  # another clock may be ahead: a record is never of a later time than ours
        batches: list[Packed] = []
        start = 0
        while start < len(records):
            batch = Batch(MAX_BATCH_BYTES, self._compression)
            end = batch.fill(records, start, now)
            batches.append((batch, records[start:end]))
            start = end
        return batches

    async def send(self, topic: str, partition: int, batch: Batch) -> int:
        """The offset of the batch's first record, once all in-sync replicas have it; else Unpublished, and whether they
        have it is unknown."""
        try:
            async with asyncio.timeout(self._deadline + 1):
                acknowledged = await self._producer.send_batch(batch, topic, partition=partition)
                acknowledged.add_done_callback(_retrieve)
                return (await acknowledged).offset
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:
            raise Unpublished(f"{topic}/{partition}: {error!r}") from error

    async def stop(self) -> None:
        """Close a producer that has nothing in hand; it may hang (K9), so not for long."""
        try:
            await within(2, self._producer.stop())
        except (KafkaError, OSError, TimeoutError):
            await self.discard()

    async def discard(self) -> None:
        """Cut it off at once."""
        await self._producer.discard()


class _Producer(AIOKafkaProducer):
    """aiokafka has no way to close without a flush: `stop` would send old batches behind the ones of a new producer."""

    async def discard(self) -> None:
        self._closed = True
        waiting: Any = self._message_accumulator
        waiting._batches.clear()  # noqa: SLF001 - what was not sent never leaves
        sender: Any = self._sender.sender_task
        if sender is not None:
            sender.cancel()
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            await within(1, self.client.close())
        if sender is not None:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await asyncio.wait([sender], timeout=1)
                sender.cancel()


def _retrieve(acknowledged: asyncio.Future[Any]) -> None:
    # A send that we gave up fails later with nobody there to see it; asyncio would complain of that.
    if not acknowledged.cancelled():
        acknowledged.exception()
