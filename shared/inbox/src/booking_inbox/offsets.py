"""Which partitions are ours just now, and committing their offsets: explicit, after the database's commit.

aiokafka rebalances eagerly and does not wait for a running handler (K8). Its own `commit()` commits every position
handed out (K7), FastStream's `ack()` too, swallowing failures (K15): both would commit past a record that is still in
hand. A lost commit costs duplicates, which the version rows absorb; so commits run beside the work, the latest of each
partition, one request in flight.
"""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from booking_inbox.patience import within

log = logging.getLogger("booking.consumer")

Hook = Callable[[frozenset[TopicPartition]], Awaitable[None]]

_PAUSE_AFTER_FAILURE = 0.5
_PAUSE = 0.05
"""Between two commits: at a hundred records a second a request for each would cost as much as fetching it did."""


class OffsetCommits:
    """The settled positions of one consumer that Kafka has still to learn."""

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer | None], *, deadline: float) -> None:
        self._consumer, self._deadline = consumer, deadline
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
            await asyncio.sleep(_PAUSE if await self.flush() else _PAUSE_AFTER_FAILURE)

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
