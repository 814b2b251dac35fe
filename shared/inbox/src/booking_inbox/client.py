"""aiokafka as the reader uses it: going on where it gives up for ever, whose partitions are ours, which offsets stand.

Its consumer at a record with a header whose name is no UTF-8: it decodes header names while it unpacks a batch, raises,
throws the batch away, fetches it again and raises again; the partition stands still and a core burns (tried on 0.14).
Java clients cannot write such a name, others can.

Its connections at a broker that dies: uvloop refuses with a RuntimeError what is written to a socket that has just
closed (asyncio drops it). aiokafka expects an OSError, and the task that wrote ends: the one that looks for brokers,
say, after which the client reads on, but never finds its group's coordinator again and commits nothing (F11).

Its rebalances are eager and do not wait for a running handler (K8). Its `commit()` commits every position handed out
(K7), FastStream's `ack()` too, swallowing failures (K15): both would commit past a record that is still in hand. A lost
commit costs duplicates, which the version rows absorb; so commits run beside the work, explicitly, after the database's
commit, the latest of each partition, one request in flight.
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError

from booking_contracts.deadlines import within

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


# aiokafka and parts of FastStream are untyped, hence not strict here.


Hook = Callable[[frozenset[TopicPartition]], Awaitable[None]]

_PAUSE_AFTER_FAILURE = 0.5
PAUSE = 0.05
"""Seconds between two commits: at a hundred records a second one for each would cost as much as fetching it did."""
PAUSE_WHERE_NOBODY_RETURNS = 1.0
"""Likewise where the place is kept elsewhere: nobody goes on from these offsets, they show that the group is alive (K3)
and how far it is, to Kafka's own tools."""


class OffsetCommits:
    """The settled positions of one consumer that Kafka has still to learn."""

    def __init__(
        self, consumer: Callable[[], AIOKafkaConsumer | None], *, deadline: float, pause: float = PAUSE
    ) -> None:
        self._consumer, self._deadline, self._pause = consumer, deadline, pause
        self._pending: dict[TopicPartition, int] = {}
        self.failing = False
        """Whether the last try found nobody to take them, and they wait."""
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()

    def settle(self, partition: TopicPartition, next_offset: int) -> None:
        """Everything below `next_offset` is applied, known, ignored by rule or held, and committed in the database."""
        self._pending[partition] = next_offset
        self._wake.set()

    def forget(self) -> None:
        """The partitions went elsewhere: their positions are no longer ours to commit."""
        self._pending.clear()
        self.failing = False

    async def run(self) -> None:
        """Commit what is settled as it comes, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._pause if await self.flush() else _PAUSE_AFTER_FAILURE)

    async def flush(self) -> bool:
        """Commit what is settled now; False if the broker did not take it (it stays pending). Raises nothing: whoever
        waits for it has more to clean up, and `run` must not end unseen."""
        async with self._one:
            self._wake.clear()
            consumer, offsets = self._consumer(), dict(self._pending)
            if consumer is None or not offsets:
                return True
            self.failing = not await self._commit(consumer, offsets)
            if self.failing:
                self._wake.set()
                return False
            for partition, offset in offsets.items():
                if self._pending.get(partition) == offset:
                    del self._pending[partition]
            return True

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> bool:
        ours = consumer.assignment()
        mine = {partition: offset for partition, offset in offsets.items() if partition in ours}
        for stranger in offsets.keys() - mine.keys():
            self._pending.pop(stranger, None)
        if not mine:
            return True  # all went elsewhere; aiokafka calls an empty commit a ValueError
        try:
            await within(self._deadline, consumer.commit(mine))  # aiokafka itself would retry for ever
        except (KafkaError, IllegalStateError, TimeoutError, OSError) as error:
            log.info("offsets not committed, duplicates may follow: %s", type(error).__name__)
            return False
        except Exception:
            # A defect, here or in the client. It counts as failing: the monitor replaces such a client.
            log.exception("offsets not committed, duplicates may follow")
            return False
        return True


@ConsumerRebalanceListener.register  # not a subclass: its methods may be async, it says, and are declared as if not
class Assignment:
    """Listens to rebalances. `epoch` counts them: what was read under an older one must not commit offsets any more.

    It is raised at the revocation, never at the assignment: aiokafka hands out records of the new assignment before it
    calls `on_partitions_assigned`.
    """

    def __init__(self, *, on_revoked: Hook, on_assigned: Hook) -> None:
        self.epoch = 0
        self.partitions: frozenset[TopicPartition] | None = None
        """None while no assignment is complete; may be empty, when there are more copies than partitions."""
        self._on_revoked, self._on_assigned = on_revoked, on_assigned

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """aiokafka is about to give everything back."""
        try:
            await self._on_revoked(frozenset(revoked))
        finally:  # whatever happened, aiokafka swallows it and goes on: what was read before is not ours any more
            self.epoch += 1
            self.partitions = None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """aiokafka has joined the new generation."""
        self.partitions = frozenset(assigned)
        await self._on_assigned(self.partitions)
