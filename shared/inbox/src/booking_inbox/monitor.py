"""Watching a reader: how far behind, whether it moves, and when its Kafka client must be replaced.

aiokafka can fall silent after a restart or rebalance and look healthy (K3), FastStream's ping asks for metadata only
(K17). So progress is measured from outside: end offsets through a connection of its own against what was settled.
"""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from booking_inbox import metrics
from booking_inbox.within import within
from booking_outbox import Progress

if TYPE_CHECKING:
    from booking_inbox.reader import Reader

log = logging.getLogger("booking.consumer")


class Monitor:
    """Backlog, lag and stalls of one reader."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._probe: AIOKafkaConsumer | None = None
        self.backlog = 0
        self.moved_at = self._looked_at = time.monotonic()
        self.waiting_for: str | None = "kafka"
        """What does not answer, so that a restart would help nobody."""
        self._last_timestamp: dict[TopicPartition, int] = {}
        self._uncommitted_since: float | None = None
        self._shown: frozenset[TopicPartition] = frozenset()
        self._shown_paused = 0

    def progress(self) -> Progress:
        """For liveness. Paused partitions do not count: a restart would not help them, their alarm is another."""
        if self.waiting_for is None and time.monotonic() - self._looked_at > self._reader.tuning.stall_after:
            return Progress(max(1, self.backlog), min(self.moved_at, self._looked_at))  # nobody looks any more
        return Progress(self.backlog, self.moved_at, self.waiting_for)

    def moved(self, record: Any) -> None:
        """Something was settled."""
        self.moved_at = time.monotonic()
        self._last_timestamp[TopicPartition(record.topic, record.partition)] = record.timestamp

    def assigned(self) -> None:
        """A rebalance is over: the clock starts anew."""
        self.moved_at = time.monotonic()
        self._last_timestamp.clear()

    def ended(self, stop: asyncio.Event) -> None:
        """Nobody reads any more. Unasked, that is no good health, whatever was seen last."""
        if not stop.is_set():
            self.backlog, self.waiting_for = max(1, self.backlog), None
        self._publish({}, paused=0)

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every tick until `stop`, or until the Kafka client has to be replaced."""
        self.waiting_for = None
        self.moved_at = self._looked_at = time.monotonic()
        self._uncommitted_since = None
        try:
            while not stop.is_set():
                if self._reader.in_hand:
                    await self._reader.touch()
                await self._measure()
                self._looked_at = time.monotonic()
                if self._stuck():
                    log.error("consumer %s is stuck: a new Kafka client takes over", self._reader.name)
                    metrics.CLIENTS_REPLACED.labels(self._reader.name).inc()
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._reader.tuning.tick)
        finally:
            await self._drop_probe()

    def _stuck(self) -> bool:
        reader = self._reader
        if not reader.reading:
            return True
        now, patience = time.monotonic(), reader.tuning.stall_after
        if self._uncommitted_since is not None and now - self._uncommitted_since > patience:
            return True  # it reads on, but has lost its group
        still = not reader.in_hand and self.backlog > 0 and self.waiting_for is None
        return still and now - self.moved_at > patience

    async def _measure(self) -> None:
        reader = self._reader
        partitions = reader.assignment.partitions
        wanted = (partitions or frozenset()) - reader.paused
        ends = await self._ends(partitions or frozenset(TopicPartition(topic, 0) for topic in reader.topics))
        self.waiting_for = "kafka" if ends is None else await self._asked()
        self._look_at_commits(answering=ends is not None)
        if ends is None:
            return
        if partitions is None:
            self.backlog = 1  # unknown, but without an assignment nothing moves it
            return
        behind = {partition: max(0, ends[partition] - await self._next(partition)) for partition in partitions}
        self.backlog = sum(behind[partition] for partition in wanted)
        if self.backlog == 0:
            self.moved_at = time.monotonic()
        self._publish(behind, paused=len(reader.paused))

    def _look_at_commits(self, *, answering: bool) -> None:
        """Since when commits fail although the broker answers."""
        failing = answering and self._reader.offsets.failing
        self._uncommitted_since = (self._uncommitted_since or time.monotonic()) if failing else None

    async def _next(self, partition: TopicPartition) -> int:
        """The next offset to be settled: of what is in hand, else the client's position."""
        in_hand = [r.offset for r in self._reader.in_hand if (r.topic, r.partition) == partition]
        if in_hand:
            return min(in_hand)
        consumer = self._reader.consumer
        try:
            return (
                await within(1.0, consumer.position(partition), unless=self._reader.stopping)
                if consumer is not None
                else 0
            )
        except (KafkaError, TimeoutError):
            return 0

    async def _ends(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int] | None:
        try:
            return await within(5.0, self._probed(partitions), unless=self._reader.stopping)
        except (KafkaError, TimeoutError, OSError):
            await self._drop_probe()
            return None

    async def _probed(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        if self._probe is None:
            self._probe = AIOKafkaConsumer(bootstrap_servers=self._reader.bootstrap)
            await self._probe.start()
        return await self._probe.end_offsets(list(partitions))

    async def _asked(self) -> str | None:
        """Whether it is something else that does not answer; what can't tell in time does not."""
        try:
            return await within(5.0, self._reader.waiting_for(), unless=self._reader.stopping)
        except TimeoutError:
            return "postgres"

    async def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await within(2.0, probe.stop())

    def _publish(self, behind: dict[TopicPartition, int], *, paused: int) -> None:
        name, now = self._reader.name, time.time() * 1000
        # Several readers of one process may share the name, so each adds its own part.
        metrics.ASSIGNED.labels(name).inc(len(behind) - len(self._shown))
        metrics.PAUSED.labels(name).inc(paused - self._shown_paused)
        for gone in self._shown - behind.keys():
            for gauge in (metrics.LAG_EVENTS, metrics.LAG_SECONDS):
                with contextlib.suppress(KeyError):  # the reader that has it now may have gone too
                    gauge.remove(name, gone.topic, gone.partition)
        self._shown, self._shown_paused = frozenset(behind), paused
        for partition, records in behind.items():
            metrics.LAG_EVENTS.labels(name, partition.topic, partition.partition).set(records)
            last = self._last_timestamp.get(partition)
            seconds = 0.0 if records == 0 or last is None else max(0.0, (now - last) / 1000)
            metrics.LAG_SECONDS.labels(name, partition.topic, partition.partition).set(seconds)
