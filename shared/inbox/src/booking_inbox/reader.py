"""The Kafka side of a consumer: a FastStream subscriber that hands over raw records and never loses its place.

What it promises: records of a partition are handed over in order, one batch at a time; a position is committed only
after `take` has settled it and all below it; whatever happens otherwise (crash, rebalance, stop), records come again,
never not at all.
"""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from booking_contracts.deadlines import within
from booking_inbox.client import PAUSE, PAUSE_WHERE_NOBODY_RETURNS, Assignment, OffsetCommits, TolerantConsumer
from booking_inbox.figures import Monitor
from booking_inbox.patience import Backoff, Tuning
from booking_outbox import Progress

log = logging.getLogger("booking.consumer")

Take = Callable[[Sequence[Any]], Awaitable[bool]]
"""Settles a batch of raw records (True), or gives up because of a stop (False). Never raises but by cancellation.

Of a batch that is given up, what `Reader.settled` was told of is settled all the same."""

Starts = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""The stored position of each partition; a missing one starts at the beginning."""

_IN_HAND_SHARE = 0.6
"""Of the grace, for the record in hand; the rest is for committing and for leaving the group."""
_LEAST_SECONDS = 0.2

_NOWHERE = TopicPartition("-", 0)


async def _nothing() -> None:
    return None


class Reader:
    """Reads topics for one consumer group and survives whatever Kafka does meanwhile."""

    def __init__(
        self,
        *,
        name: str,
        group_id: str,
        topics: Sequence[str],
        bootstrap: str,
        take: Take,
        tuning: Tuning,
        starts: Starts | None = None,
        waiting_for: Callable[[], Coroutine[Any, Any, str | None]] | None = None,
    ) -> None:
        self.name, self.group_id, self.topics, self.bootstrap = name, group_id, tuple(topics), bootstrap
        self.tuning = tuning
        self._take, self._starts = take, starts
        self.waiting_for: Callable[[], Coroutine[Any, Any, str | None]] = waiting_for or _nothing
        self.stopping = asyncio.Event()
        self.positions: dict[TopicPartition, int] | None = {} if starts else None
        self.paused: set[TopicPartition] = set()
        self.assignment = Assignment(on_revoked=self._revoked, on_assigned=self._assigned)
        self.offsets = OffsetCommits(
            lambda: self.consumer,
            deadline=tuning.commit_deadline,
            pause=PAUSE if starts is None else PAUSE_WHERE_NOBODY_RETURNS,
        )
        self.monitor = Monitor(self)
        self.in_hand: list[Any] = []
        self.most = tuning.batch_size
        """Records that are handed over together, at most."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._broker: Any = None
        self._subscriber: Any = None
        self._seeking: asyncio.Task[None] | None = None
        self._touching: asyncio.Task[Any] | None = None

    @property
    def consumer(self) -> TolerantConsumer | None:
        """The Kafka client of the moment."""
        return self._subscriber.consumer if self._subscriber is not None else None

    def progress(self) -> Progress:
        """The backlog (records) and when it last moved, for liveness."""
        return self.monitor.progress()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; then finish or release what is in hand, commit, leave the group, within the deadlines."""
        background = [asyncio.create_task(self.offsets.run()), asyncio.create_task(self._follow(stop))]
        try:
            while not stop.is_set():
                if await self._opened(stop):
                    await self.monitor.watch(stop)  # returns at a stop, or when this client is stuck
                self.monitor.waiting_for = "kafka"
                await self._close()
        finally:
            self.monitor.ended(stop)
            self.stopping.set()
            await self._close()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    def pause(self, partition: TopicPartition) -> None:
        """Stop reading one partition; the others go on."""
        consumer = self.consumer
        if consumer is not None and partition in consumer.assignment():
            consumer.pause(partition)
            self.paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        """Go on reading a paused partition."""
        self.paused.discard(partition)
        consumer = self.consumer
        if consumer is not None and partition in consumer.assignment():
            consumer.resume(partition)

    def seek_again(self) -> None:
        """Another copy has moved a stored position: read all of them anew and go on from there."""
        if self._starts is not None and self.assignment.partitions:
            self._start_seeking(self.assignment.partitions)

    def settled(self, *raws: Any) -> None:
        """These records of the batch in hand are done, whatever becomes of the others."""
        done = {id(raw) for raw in raws}
        self.in_hand = [record for record in self.in_hand if id(record) not in done]
        for raw in {(raw.topic, raw.partition): raw for raw in raws}.values():
            self.monitor.moved(raw)

    async def touch(self) -> None:
        """Tell the group that a long handler is alive (F28, K4): aiokafka leaves it for want of polls, unasked.

        Asking for records of a partition that is not ours polls without taking anything.
        """
        consumer = self.consumer
        if consumer is None or (self._touching is not None and not self._touching.done()):
            return
        self._touching = asyncio.create_task(consumer.getmany(_NOWHERE, timeout_ms=0))
        self._touching.add_done_callback(lambda task: task.cancelled() or task.exception())

    @property
    def reading(self) -> bool:
        """Whether FastStream's loop is still there: it ends silently on a stopped consumer (K16)."""
        return self._subscriber is not None and any(not task.done() for task in self._subscriber.tasks)

    async def _follow(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stopping.set()  # a handler that waits out a transient failure lets go at once

    async def _opened(self, stop: asyncio.Event) -> bool:
        backoff = Backoff(first=0.2, cap=self.tuning.backoff_cap)
        while not stop.is_set():
            try:
                await within(self.tuning.open_deadline, self._open(), unless=stop)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("consumer %s waits for Kafka: %s", self.name, type(error).__name__)
                await self._close()
                await backoff.wait(stop)
            else:
                return True
        return False

    async def _open(self) -> None:
        # FastStream takes a second to import: not on the event loop, not before the process listens.
        stream = await asyncio.to_thread(importlib.import_module, "booking_inbox.stream")
        self._broker, self._subscriber = stream.subscribe(
            self._handle,
            *self.topics,
            name=self.name,
            group_id=self.group_id,
            bootstrap=self.bootstrap,
            listener=self.assignment,
            tuning=self.tuning,
        )
        await self._broker.connect()
        stream.build_clients_by(self._broker, TolerantConsumer)
        await self._broker.start()

    async def _close(self) -> None:
        """Lets go of the client, in `tuning.grace` altogether. Cancelled meanwhile, the client is cut off all the same:
        its tasks would fetch on for nobody."""
        if self._broker is None:
            return
        broker, self._broker, consumer = self._broker, None, self.consumer
        closed = False
        try:
            closed = await self._closed(broker)
        finally:
            for task in (self._seeking, self._touching):
                if task is not None:
                    task.cancel()
            self._subscriber = None
            self.assignment.partitions = None
            self.offsets.forget()
            self.paused.clear()
            if not closed and consumer is not None:
                await consumer.cut_off()

    async def _closed(self, broker: Any) -> bool:
        """Whether all of it went well: the record in hand, the offsets, the goodbye to the group share one grace."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.tuning.grace

        def left(most: float) -> float:
            return min(most, max(_LEAST_SECONDS, until - loop.time()))

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.tuning.grace * _IN_HAND_SHARE):
                await self._idle.wait()
        with contextlib.suppress(TimeoutError):
            await within(left(self.tuning.commit_deadline), self.offsets.flush())
        try:
            await within(left(self.tuning.close_deadline), broker.stop())
        except (TimeoutError, KafkaError, OSError, ExceptionGroup) as error:
            log.warning("consumer %s: Kafka's client did not close (%s)", self.name, type(error).__name__)
            return False
        return True

    async def _handle(self, raw: Any) -> None:
        """One record from FastStream's loop, which moves on when this returns, so it returns only when it may."""
        batch, epoch = ([], 0) if self.stopping.is_set() else await self._with_more(raw)
        batch = self._fresh(batch)
        if not batch:
            await asyncio.sleep(0.01)  # nothing is handed over twice in a stop or a seek; don't spin through the rest
            return
        self.in_hand = list(batch)
        self._idle.clear()
        try:
            if await self._take(batch):
                self.in_hand = []
                self.monitor.moved(batch[-1])
        finally:
            left, self.in_hand = self.in_hand, []
            self._idle.set()
        if self.assignment.epoch == epoch:
            for partition, offset in _settled(batch, left).items():
                self.offsets.settle(partition, offset)

    async def _with_more(self, raw: Any) -> tuple[list[Any], int]:
        """The record and what has been fetched already, without waiting: a batch costs no latency. And their epoch.

        Partition by partition: aiokafka would lose what it took from the others when it cannot unpack one's records.
        """
        batch, epoch, consumer = [raw], self.assignment.epoch, self.consumer
        if self.most == 1 or consumer is None:
            return batch, epoch
        for partition in consumer.buffered():
            wanted = self.most - len(batch)
            if wanted < 1:
                break
            try:
                found = await consumer.getmany(partition, timeout_ms=0, max_records=wanted)
            except (KafkaError, UnicodeDecodeError):
                continue  # it comes up again at FastStream's next read
            if self.assignment.epoch != epoch:
                batch, epoch = [], self.assignment.epoch  # given back meanwhile: what was read before comes again
            batch += found.get(partition, ())
        return batch, epoch

    def _fresh(self, batch: list[Any]) -> list[Any]:
        """Without stored positions all; with them only what lies at or above them: a seek may still be under way."""
        if self.positions is None:
            return batch
        # By plain tuples: a TopicPartition for each record is a good part of a rebuild's time.
        starts = {(p.topic, p.partition): offset for p, offset in self.positions.items()}
        return [r for r in batch if r.offset >= starts.get((r.topic, r.partition), r.offset + 1)]

    async def _revoked(self, _revoked: frozenset[TopicPartition]) -> None:
        # A short wait for the record in hand spares the next owner a duplicate; safety does not depend on it.
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(2.0, self.tuning.session_timeout / 3)):
                    await self._idle.wait()
                    await self.offsets.flush()
        finally:
            self.offsets.forget()
            self.paused.clear()
            if self.positions is not None:
                self.positions.clear()

    async def _assigned(self, assigned: frozenset[TopicPartition]) -> None:
        self.monitor.assigned()
        if self._starts is not None:
            self._start_seeking(assigned)

    def _start_seeking(self, partitions: frozenset[TopicPartition]) -> None:
        # Not awaited: aiokafka sends no heartbeat while its listener runs, and the database may be away for minutes.
        consumer = self.consumer
        if consumer is None:
            return
        consumer.pause(*partitions)
        assert self.positions is not None
        self.positions.clear()
        if self._seeking is not None:
            self._seeking.cancel()
        self._seeking = asyncio.create_task(self._seek(consumer, partitions, self.assignment.epoch))

    async def _seek(self, consumer: TolerantConsumer, partitions: frozenset[TopicPartition], epoch: int) -> None:
        assert self._starts is not None
        assert self.positions is not None
        backoff = Backoff(cap=self.tuning.backoff_cap)
        while True:
            try:
                stored = await self._starts(sorted(partitions))
                break
            except Exception as error:  # noqa: BLE001 -- whatever keeps the positions from being read, nothing can go on without
                log.warning("consumer %s cannot read its positions: %s", self.name, type(error).__name__)
                if not await backoff.wait(self.stopping):
                    return
        if self.assignment.epoch != epoch:
            return
        for partition in partitions:
            consumer.seek(partition, stored.get(partition, 0))
            self.positions[partition] = stored.get(partition, 0)
        consumer.resume(*(partitions - self.paused))


def _settled(batch: Sequence[Any], left: Sequence[Any]) -> dict[TopicPartition, int]:
    """The next offset of each partition below which everything of the batch is settled."""
    # By plain tuples: a TopicPartition for each record is a good part of a rebuild's time.
    places = {(r.topic, r.partition): r.offset + 1 for r in batch}
    for record in reversed(left):
        places[record.topic, record.partition] = record.offset
    first = {(r.topic, r.partition): r.offset for r in reversed(batch)}
    return {TopicPartition(*place): offset for place, offset in places.items() if offset > first[place]}
