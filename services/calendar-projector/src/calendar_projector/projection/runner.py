"""One generation's consumer: batches of records into its slot, rows and positions in one transaction (C2).

Live and rebuild are this same code; a generation that is not active publishes and pushes nothing.
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import TopicPartition

from booking_contracts.topics import SESSIONS
from booking_inbox import Hold, PositionLost, Tuning, metrics
from booking_inbox.probe import answers
from booking_inbox.reader import Reader
from booking_inbox.reading import Poison, describe
from booking_inbox.retry import Backoff, is_transient
from booking_inbox.rules import Failure
from booking_outbox import Progress, crash_point
from booking_process.database import Database
from booking_process.supervision import is_meant
from calendar_projector.projection.batch import decoded, fold_in_turns
from calendar_projector.projection.merge import Merged, Slot, merge
from calendar_projector.projection.positions import Positions, Step
from calendar_projector.projection.slot_inbox import rules_of

log = logging.getLogger("booking.projector")


class Listener(Protocol):
    """Whom a runner tells what it has committed."""

    def committed(self, merged: Merged) -> None:
        """These rows changed and are published; called after the commit, must not wait."""
        ...


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where the topics are."""

    bootstrap: str
    prefix: str


class Runner:
    """Consumes the sessions topic for one generation, as one member of its group."""

    def __init__(
        self, generation: int, slot: Slot, *, database: Database, kafka: Kafka, tuning: Tuning, listener: Listener
    ) -> None:
        self.generation, self.slot = generation, slot
        self._database, self._kafka, self._listener = database, kafka, listener
        self._tuning = tuning
        self._positions = Positions(generation, SESSIONS.name)
        self._failing = False
        self.reader = Reader(
            name=slot.consumer,  # a name for each generation would be a label of metrics for each, for ever
            group_id=f"calendar-projector.g{generation}",
            topics=[kafka.prefix + SESSIONS.name],
            bootstrap=kafka.bootstrap,
            take=self.take,
            tuning=tuning,
            starts=self._starts,
            waiting_for=self._waiting_for,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, waiting for Kafka and PostgreSQL as long as it takes."""
        try:
            await self.reader.run(stop)
        except asyncio.CancelledError as error:
            if is_meant():
                raise
            raise RuntimeError("ended by a cancellation that was not meant for it") from error

    def progress(self) -> Progress:
        """For liveness."""
        return self.reader.progress()

    async def take(self, batch: Sequence[Any]) -> bool:
        """Settle the batch; False if a stop or another owner came first."""
        backoff = Backoff(first=self._tuning.first_backoff, cap=self._tuning.backoff_cap)
        while True:
            try:
                merged = await self._once(batch)
            except PositionLost:
                log.warning("generation %d: another copy moved a position; seeking again", self.generation)
                self.reader.seek_again()
                return False
            except (Exception, SystemExit) as error:  # noqa: BLE001 the reader must never see one (K10)
                if not is_transient(error):
                    self._say(error)
                    return await self._one_by_one(batch)
                self._failing = True
                if not await backoff.wait(self.reader.stopping):
                    return False
            else:
                self._done(batch, merged)
                return True

    async def _once(self, batch: Sequence[Any], failure: Failure | None = None, *, at_a_glance: bool = True) -> Merged:
        folded = await fold_in_turns(batch, self._kafka.prefix, at_a_glance=at_a_glance)
        async with asyncio.timeout(self._tuning.apply_deadline), self._database.transaction() as conn:
            # First, and by a statement of its own: it takes the partition's lock, so that what follows sees whether a
            # switch has just changed which generation is active.
            await self._positions.advance(conn, self._steps(batch))
            merged = await merge(conn, self.slot, list(folded.patches.values())) if folded.patches else Merged()
            rules = rules_of(self.slot, merged.add)
            for key in folded.raws.keys() - merged.people.keys():
                for raw in folded.raws[key]:
                    item = decoded(raw, self._kafka.prefix)
                    if failure is None or isinstance(item, Poison):
                        outcome = (await rules.take(conn, item)).outcome
                    else:
                        outcome = (await rules.give_up(conn, item, failure)).outcome
                    metrics.RECORDS.labels(self.slot.consumer, SESSIONS.name, outcome).inc()
        return merged

    async def _one_by_one(self, batch: Sequence[Any]) -> bool:
        """The batch failed for no transient reason: find the record that does it, and hold that one."""
        for raw in batch:
            backoff = Backoff(first=self._tuning.first_backoff, cap=self._tuning.backoff_cap)
            attempts, failure = 0, None
            while True:
                try:
                    self._done([raw], await self._once([raw], failure, at_a_glance=False))
                    break
                except PositionLost:
                    self.reader.seek_again()
                    return False
                except (Exception, SystemExit) as error:  # noqa: BLE001 as above
                    if not is_transient(error):
                        self._say(error)
                        attempts += 1
                        if isinstance(error, Hold) or attempts >= self._tuning.max_attempts:
                            failure = Failure(describe(error), attempts)
                if not await backoff.wait(self.reader.stopping):
                    return False
        return True

    def _steps(self, batch: Sequence[Any]) -> Mapping[int, Step]:
        assert self.reader.positions is not None
        last = {raw.partition: raw for raw in batch}
        steps: dict[int, Step] = {}
        for partition, raw in last.items():
            expected = self.reader.positions.get(TopicPartition(raw.topic, partition))
            if expected is None:
                raise PositionLost("the partition went elsewhere")
            steps[partition] = Step(expected, raw.offset + 1, raw.timestamp or 0)
        return steps

    def _done(self, batch: Sequence[Any], merged: Merged) -> None:
        self._failing = False
        crash_point("consumer.after_commit")
        assert self.reader.positions is not None
        for place, offset in {(raw.topic, raw.partition): raw.offset for raw in batch}.items():
            partition = TopicPartition(*place)
            if partition in self.reader.positions:
                self.reader.positions[partition] = offset + 1
        metrics.RECORDS.labels(self.slot.consumer, SESSIONS.name, "applied").inc(len(batch))
        if merged.published:
            self._listener.committed(merged)

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The stored positions, or where the topic begins if it is no longer the topic they were taken from."""
        consumer = self.reader.consumer
        assert consumer is not None
        first, end = await consumer.beginning_offsets(list(partitions)), await consumer.end_offsets(list(partitions))
        starts: dict[TopicPartition, int] = {}
        async with self._database.transaction() as conn:
            stored = await self._positions.stored(conn, [p.partition for p in partitions])
            for partition in partitions:
                starts[partition] = position = stored[partition.partition]
                if not first[partition] <= position <= end[partition]:
                    # F50, F51: never a silent jump. Versions know what was seen; what is missing shows as held gaps.
                    log.error(
                        "generation %d, %s[%d]: position %d is outside of the topic (%d to %d), which was recreated or"
                        " lost records. All that is there is read; `booking republish` and a rebuild prove the rows.",
                        *(self.generation, *partition, position, first[partition], end[partition]),
                    )
                    starts[partition] = first[partition]
                    await self._positions.reset(conn, partition.partition, to=first[partition])
        return starts

    async def _waiting_for(self) -> str | None:
        if self._failing and not await answers(self._database.url):
            return "postgres"
        return None

    def _say(self, error: BaseException) -> None:
        metrics.RETRIES.labels(self.slot.consumer, SESSIONS.name, "failed").inc()
        log.warning("generation %d: %s while merging", self.generation, type(error).__name__)
