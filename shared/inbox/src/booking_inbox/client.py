"""aiokafka where it gives up for ever; these go on.

Its consumer at a record with a header whose name is no UTF-8: it decodes header names while it unpacks a batch, raises,
throws the batch away, fetches it again and raises again; the partition stands still and a core burns (tried on 0.14).
Java clients cannot write such a name, others can.

Its connections at a broker that dies: uvloop refuses with a RuntimeError what is written to a socket that has just
closed (asyncio drops it). aiokafka expects an OSError, and the task that wrote ends: the one that looks for brokers,
say, after which the client reads on, but never finds its group's coordinator again and commits nothing (F11).
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import contextlib
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from booking_inbox.patience import within

log = logging.getLogger("booking.consumer")

UNREADABLE = "unreadable-record"
"""The only header of the stand-in for a record that aiokafka cannot unpack; its value is the record's place."""


_write = AIOKafkaConnection.send


def _send(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    try:
        return _write(self, request, expect_response)
    except RuntimeError as gone:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection closed just now: {gone}") from gone


AIOKafkaConnection.send = _send  # a connection is made deep within, by a function that nobody can hand in


class TolerantConsumer(AIOKafkaConsumer):
    """Hands over a stand-in for a record that cannot be unpacked, so that it is held like any other poison (F44)."""

    async def getone(self, *partitions: TopicPartition) -> ConsumerRecord:
        """The next record, or the stand-in of one that is unreadable."""
        try:
            return await super().getone(*partitions)
        except UnicodeDecodeError:
            broken = self._broken()
            if broken is None:
                raise
        partition, offset = broken
        self.seek(partition, offset + 1)
        log.error("%s[%d]@%d has a header name that is not UTF-8", partition.topic, partition.partition, offset)
        return _stand_in(partition, offset)

    def _broken(self) -> tuple[TopicPartition, int] | None:
        """Where unpacking ended by an exception: the partition whose iterator is finished with records left.

        An offset that compaction removed may be taken for the broken record's; then the next read finds the next one,
        and a stand-in for an offset without a record harms nobody.
        """
        for partition, fetched in self._fetched().items():
            records: Any = getattr(fetched, "_partition_records", None)
            iterator = getattr(records, "_records_iterator", None)
            if iterator is not None and iterator.gi_frame is None:
                return partition, records.next_fetch_offset
        return None

    def _fetched(self) -> dict[TopicPartition, Any]:
        return getattr(self._fetcher, "_records", {})  # there is no public way to learn it

    def buffered(self) -> list[TopicPartition]:
        """The partitions of which something has been fetched already."""
        return list(self._fetched())

    async def cut_off(self) -> None:
        """End what a `stop()` that hung has left: else its tasks fetch on for nobody, each with a connection (K9)."""
        parts: tuple[Any, ...] = (self._coordinator, self._fetcher, self._client)
        for part, ending in zip(parts, ("_stop_heartbeat_task", "close", "close"), strict=True):
            if part is not None:
                with contextlib.suppress(Exception):
                    await within(1.0, getattr(part, ending)())


def _stand_in(partition: TopicPartition, offset: int) -> ConsumerRecord:
    place = f"{partition.topic}[{partition.partition}]@{offset}".encode()
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=-1,
        timestamp_type=0,
        key=None,
        value=None,
        checksum=None,
        serialized_key_size=-1,
        serialized_value_size=-1,
        headers=((UNREADABLE, place),),
    )
