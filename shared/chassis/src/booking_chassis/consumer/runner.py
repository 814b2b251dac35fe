"""The consumer of a service: record by record, one database transaction each, then the offset."""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from aiokafka import TopicPartition

from booking_chassis.consumer import held, metrics
from booking_chassis.consumer.errors import Hold
from booking_chassis.consumer.probe import answers
from booking_chassis.consumer.reader import Reader
from booking_chassis.consumer.reading import Poison, describe, read, record_of
from booking_chassis.consumer.retry import Backoff, is_transient
from booking_chassis.consumer.rules import Failure, Rules, Taken
from booking_chassis.consumer.subscription import Subscription
from booking_chassis.consumer.tracing import note, record_span
from booking_chassis.consumer.tuning import Tuning
from booking_chassis.database import Database
from booking_contracts.decode import Decoded
from booking_contracts.record import Record
from booking_outbox.faults import crash_point
from booking_outbox.progress import Progress

log = logging.getLogger("booking.consumer")


class Consumer:
    """A worker that applies the records of its topics exactly once in effect, in version order per key.

    `transient` names the service's own exceptions that waiting cures; `after_commit` is called after each transaction
    that applied something (to wake the relay). The group is `group_id`, by default the name.
    """

    def __init__(
        self,
        name: str,
        subscriptions: Sequence[Subscription],
        *,
        database: Database,
        bootstrap: str,
        topic_prefix: str = "",
        group_id: str | None = None,
        transient: tuple[type[Exception], ...] = (),
        after_commit: Callable[[], None] | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.name = name
        self.database = database
        self.rules = Rules(name, subscriptions, transient)
        self.tuning = tuning or Tuning()
        self.prefix = topic_prefix
        self._after_commit = after_commit
        self._bootstrap, self._group_id = bootstrap, group_id or name
        self._reader: Reader | None = None
        self._failing = False

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
            waiting_for=self._waiting_for,
        )
        watch = asyncio.create_task(self._watch_held())
        try:
            await self._reader.run(stop)
        finally:
            watch.cancel()

    async def _take(self, batch: Sequence[Any]) -> bool:
        for raw in batch:
            record = record_of(raw, self.prefix)
            with record_span(self.name, record) as span:
                taken = await self._settle(record)
                note(span, taken.outcome if taken else "released")
            if taken is None:
                return False
            self._count(record, taken)
            crash_point("consumer.after_commit")
            if self._after_commit is not None and (taken.outcome == "applied" or taken.drained):
                self._after_commit()
        return True

    async def _settle(self, record: Record) -> Taken | None:
        """Try until the record has its outcome; None if a stop came first. Lets nothing out but cancellation:
        FastStream would swallow it, and the next record's offset would bury this one (K6, K10)."""
        item = read(record, sequenced=self.rules.topic(record.topic).sequenced)
        backoff = Backoff(first=self.tuning.first_backoff, cap=self.tuning.backoff_cap)
        failure, attempts = None, 0
        while True:
            try:
                async with asyncio.timeout(self.tuning.apply_deadline), self.database.transaction() as conn:
                    taken = await self._once(conn, item, failure)
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- see above; SystemExit would stop the app (K23)
                transient = failure is not None or is_transient(error, self.rules.transient)
                self._failing = transient
                self._say(record, error, transient=transient)
                if not transient:
                    attempts += 1
                    if isinstance(error, Hold) or attempts >= self.tuning.max_attempts:
                        failure = Failure(describe(error), attempts)
                        continue
            else:
                self._failing = False
                return taken
            if not await backoff.wait(self._stopping):
                return None

    async def _once(self, conn: psycopg.AsyncConnection, item: Decoded | Poison, failure: Failure | None) -> Taken:
        if failure is not None and not isinstance(item, Poison):
            return await self.rules.give_up(conn, item, failure)
        return await self.rules.take(conn, item)

    async def _waiting_for(self) -> str | None:
        # A pool that broke for good must not pass for a database that is down (K30, F31): ask beside the pool.
        if self._failing and not await answers(self.database.engine.url.render_as_string(hide_password=False)):
            return "postgres"
        return None

    @property
    def _stopping(self) -> asyncio.Event:
        assert self._reader is not None
        return self._reader.stopping

    def _count(self, record: Record, taken: Taken) -> None:
        metrics.RECORDS.labels(self.name, record.topic, taken.outcome).inc()
        if taken.drained:
            metrics.DRAINED.labels(self.name, record.topic).inc(taken.drained)
        if taken.outcome in {"gap", "undecodable", "failed"}:
            where = (record.topic, record.partition, record.offset)
            log.error("consumer %s holds %s[%d]@%d: %s", self.name, *where, taken.outcome)
        if taken.gap_keys > self.tuning.gap_limit and self._reader is not None:
            self._reader.pause(TopicPartition(self.prefix + record.topic, record.partition))
            log.error(
                "consumer %s paused %s[%d]: %d keys wait for a predecessor, so the topic lost records;"
                " run `booking republish` and start once with a higher limit",
                *(self.name, record.topic, record.partition, taken.gap_keys),
            )

    def _say(self, record: Record, error: BaseException, *, transient: bool) -> None:
        # The kind alone: an exception's text may quote contact data, which is never logged.
        kind = "transient" if transient else "failed"
        metrics.RETRIES.labels(self.name, record.topic, kind).inc()
        where = (record.topic, record.partition, record.offset)
        log.warning("consumer %s at %s[%d]@%d: %s (%s)", self.name, *where, type(error).__name__, kind)

    async def _watch_held(self) -> None:
        """Publish the held records' numbers, and let paused partitions go on when their gaps are closed."""
        while True:
            try:
                async with self.database.autocommit() as conn:
                    await publish_held(conn, self.name)
                    await self._resume_paused(conn)
            except Exception as error:  # noqa: BLE001 -- a watch must outlive any outage
                log.info("consumer %s cannot read its held records: %s", self.name, type(error).__name__)
            await asyncio.sleep(5 * self.tuning.tick)

    async def _resume_paused(self, conn: psycopg.AsyncConnection) -> None:
        reader = self._reader
        for partition in list(reader.paused) if reader else []:
            topic = partition.topic.removeprefix(self.prefix)
            if reader and await held.gap_keys(conn, self.name, topic, partition.partition) <= self.tuning.gap_limit:
                reader.resume(partition)


async def publish_held(conn: psycopg.AsyncConnection, consumer: str) -> None:
    """Set the gauges of held keys and of the oldest one's age; a gap older than 60 s alarms."""
    found = {(topic, reason): (keys, seconds) for topic, reason, keys, seconds in await held.summary(conn, consumer)}
    for gauge, which in ((metrics.HELD_KEYS, 0), (metrics.HELD_OLDEST, 1)):
        for name, topic, reason in {tuple(s.labels.values()) for m in gauge.collect() for s in m.samples if s.labels}:
            if name == consumer and (topic, reason) not in found:
                gauge.labels(name, topic, reason).set(0)
        for (topic, reason), numbers in found.items():
            gauge.labels(consumer, topic, reason).set(numbers[which])
