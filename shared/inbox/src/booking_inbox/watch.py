"""Telling what became of records: counts, logs, alarms, and the pause of a partition whose topic lost records."""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import logging

import psycopg
from aiokafka import TopicPartition

from booking_contracts.decode import Record
from booking_inbox import held, metrics
from booking_inbox.reader import Reader
from booking_inbox.rules import Taken
from booking_inbox.tuning import Tuning
from booking_process.database import Database

log = logging.getLogger("booking.consumer")


class Watch:
    """Counts for one consumer, and looks after its held records while it runs."""

    def __init__(self, name: str, prefix: str, database: Database, tuning: Tuning) -> None:
        self._name, self._prefix, self._database, self._tuning = name, prefix, database, tuning

    def count(self, record: Record, taken: Taken, reader: Reader | None) -> None:
        """After the commit: exactly one outcome per record (I13)."""
        metrics.RECORDS.labels(self._name, record.topic, taken.outcome).inc()
        if taken.drained:
            metrics.DRAINED.labels(self._name, record.topic).inc(taken.drained)
        if taken.outcome in {"gap", "undecodable", "failed"}:
            where = (record.topic, record.partition, record.offset)
            log.error("consumer %s holds %s[%d]@%d: %s", self._name, *where, taken.outcome)
        if taken.gap_keys > self._tuning.gap_limit and reader is not None:
            reader.pause(TopicPartition(self._prefix + record.topic, record.partition))
            log.error(
                "consumer %s paused %s[%d]: %d keys wait for a predecessor, so the topic lost records;"
                " run `booking republish` and start with a higher CONSUMER_GAP_LIMIT until it has caught up",
                *(self._name, record.topic, record.partition, taken.gap_keys),
            )

    async def run(self, reader: Reader) -> None:
        """Publish the held records' numbers, and let paused partitions go on when their gaps are closed."""
        while True:
            try:
                async with self._database.autocommit() as conn:
                    await publish_held(conn, self._name)
                    await self._resume(conn, reader)
            except Exception as error:  # noqa: BLE001 -- a watch must outlive any outage
                log.info("consumer %s cannot read its held records: %s", self._name, type(error).__name__)
            await asyncio.sleep(5 * self._tuning.tick)

    async def _resume(self, conn: psycopg.AsyncConnection, reader: Reader) -> None:
        for partition in list(reader.paused):
            topic = partition.topic.removeprefix(self._prefix)
            if await held.gap_keys(conn, self._name, topic, partition.partition) <= self._tuning.gap_limit:
                reader.resume(partition)


async def publish_held(conn: psycopg.AsyncConnection, consumer: str, *, counts: bool = True) -> None:
    """Set the gauges of held keys and of the oldest one's age; to 0 where what this consumer holds does not count."""
    summary = await held.summary(conn, consumer) if counts else []
    found = {(topic, reason): (keys, seconds) for topic, reason, keys, seconds in summary}
    for gauge, which in ((metrics.HELD_KEYS, 0), (metrics.HELD_OLDEST, 1)):
        for labels in [sample.labels for metric in gauge.collect() for sample in metric.samples]:
            if labels["consumer"] == consumer and (labels["topic"], labels["reason"]) not in found:
                gauge.labels(**labels).set(0)
        for (topic, reason), numbers in found.items():
            gauge.labels(consumer, topic, reason).set(numbers[which])
