"""The consumer of a read model that only folds: many records in one transaction, with positions of its own if wanted.

What has an outside effect never goes this way (K12): a batch that fails is tried again record by record.
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from aiokafka import TopicPartition

from booking_contracts.decode import Decoded, Record
from booking_contracts.topics import Topic
from booking_inbox.attempts import Attempts
from booking_inbox.bulk import BatchApply, take_all
from booking_inbox.errors import PositionLost
from booking_inbox.positions import Move, Positions
from booking_inbox.reader import Reader
from booking_inbox.reading import read, record_of
from booking_inbox.rules import Rules, Taken
from booking_inbox.subscription import Subscription
from booking_inbox.tuning import Tuning
from booking_inbox.watch import Watch
from booking_outbox import Progress, crash_point
from booking_process.database import Database

BATCH_SIZE = 1000


class BatchConsumer:
    """A worker like `Consumer`, for `apply(conn, items)` of up to `tuning.batch_size` records at once.

    A batch is what has been fetched already: it never waits to fill, so a single record is as fast as alone. With
    `positions` the place in each partition is read from there at every assignment and stored in each transaction.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[Topic],
        apply: BatchApply,
        *,
        database: Database,
        bootstrap: str,
        topic_prefix: str = "",
        group_id: str | None = None,
        transient: tuple[type[Exception], ...] = (),
        after_commit: Callable[[], None] | None = None,
        positions: Positions | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.name = name
        self.rules = Rules(name, [Subscription(topic, partial(_alone, apply)) for topic in topics], transient)
        self.prefix = topic_prefix
        self.tuning = tuning or replace(Tuning(), batch_size=BATCH_SIZE)
        self._apply, self._positions, self._after_commit = apply, positions, after_commit
        self._database = database
        self._attempts = Attempts(name, database, self.rules, self.tuning)
        self._watch = Watch(name, topic_prefix, database, self.tuning)
        self._bootstrap, self._group_id = bootstrap, group_id or name
        self._reader: Reader | None = None

    def progress(self) -> Progress:
        """The backlog and when it last moved (reliability.md, Liveness that works)."""
        return self._reader.progress() if self._reader else Progress(0, time.monotonic())

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, waiting for Kafka and PostgreSQL as long as it takes; then end within the grace."""
        self._reader = Reader(
            name=self.name,
            group_id=self._group_id,
            topics=[self.prefix + name for name in self.rules.subscriptions],
            bootstrap=self._bootstrap,
            take=self._take,
            tuning=self.tuning,
            starts=self._starts if self._positions else None,
            waiting_for=self._attempts.waiting_for,
        )
        watch = asyncio.create_task(self._watch.run(self._reader))
        try:
            await self._reader.run(stop)
        finally:
            watch.cancel()

    async def _take(self, batch: Sequence[Any]) -> bool:
        assert self._reader is not None
        records = [record_of(raw, self.prefix) for raw in batch]
        try:
            taken = await self._together(records)
            if taken is None:
                return await self._one_by_one(records)
        except PositionLost:
            self._reader.seek_again()
            return False
        return self._done(records, taken)

    async def _together(self, records: Sequence[Record]) -> list[Taken] | None:
        """What became of each; None when a record's own failure, or a stop, lets it only be done one by one."""
        assert self._reader is not None
        items = [read(record, sequenced=self.rules.topic(record.topic).sequenced) for record in records]
        backoff = self._attempts.backoff()
        while True:
            try:
                async with asyncio.timeout(self.tuning.apply_deadline), self._database.transaction() as conn:
                    taken = await take_all(self.rules, self._apply, conn, items)
                    await self._advance(records, conn)
            except PositionLost:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- SystemExit would stop the whole app (K23)
                if not self._attempts.note(records[0], error) or not await backoff.wait(self._reader.stopping):
                    return None
            else:
                self._attempts.failing = False
                return taken

    async def _one_by_one(self, records: Sequence[Record]) -> bool:
        assert self._reader is not None
        for record in records:
            advance = partial(self._advance, [record])
            taken = await self._attempts.settle(record, self._reader.stopping, advance)
            if taken is None:
                return False
            self._done([record], [taken])
        return True

    def _done(self, records: Sequence[Record], taken: Sequence[Taken]) -> bool:
        """After the commit."""
        assert self._reader is not None
        if self._reader.positions is not None:
            for record in records:
                self._reader.positions[self._partition(record)] = record.offset + 1
        for record, outcome in zip(records, taken, strict=True):
            self._watch.count(record, outcome, self._reader)
        crash_point("consumer.after_commit")
        if self._after_commit is not None and any(t.outcome == "applied" or t.drained for t in taken):
            self._after_commit()
        return True

    async def _advance(self, records: Sequence[Record], conn: psycopg.AsyncConnection) -> None:
        if self._positions is None:
            return
        assert self._reader is not None
        assert self._reader.positions is not None
        moves: dict[TopicPartition, Move] = {}
        for record in records:
            partition = self._partition(record)
            expected = self._reader.positions.get(partition)
            if expected is None:
                raise PositionLost(f"{record.topic}[{record.partition}] was given back")
            moves[partition] = Move(record.topic, record.partition, expected, record.offset + 1)
        await self._positions.advance(conn, list(moves.values()))

    async def _starts(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert self._positions is not None
        logical = {(p.topic.removeprefix(self.prefix), p.partition): p for p in partitions}
        stored = await self._positions.start(list(logical))
        return {logical[name]: offset for name, offset in stored.items()}

    def _partition(self, record: Record) -> TopicPartition:
        return TopicPartition(self.prefix + record.topic, record.partition)


async def _alone(apply: BatchApply, conn: psycopg.AsyncConnection, item: Decoded) -> None:
    await apply(conn, [item])
