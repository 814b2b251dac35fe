"""The engine of every consumer: records from the reader into database transactions, by one of two strategies.

    record by record   each in a transaction of its own, several keys side by side in lanes; while they turn out to be
                       known already (a replay, a seed), many by one look first
    many at once       all that has been fetched in one transaction; one by one only if a record of them fails

and with the place in each partition kept in one of two stores: Kafka, after the commit; or the service's own database,
in the same transaction (`Positions`). What a record means and does is the handling's business. Where a service keeps
both rows and places, a batch that fits may go by one statement (`ShortWay`).
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from aiokafka import TopicPartition

from booking_contracts.decode import Decoded
from booking_contracts.records import from_aiokafka
from booking_inbox import figures
from booking_inbox.batch import ApplyAll, known, receive_all
from booking_inbox.group_lag import GroupLag
from booking_inbox.inbox import Failure, Hold, Inbox, Result
from booking_inbox.patience import Backoff, Tuning, answers, is_transient
from booking_inbox.reader import Reader
from booking_inbox.reading import Poison, describe, key_text, read
from booking_outbox import Progress, crash_point
from booking_process.database import Database

log = logging.getLogger("booking.consumer")

Work = TypeVar("Work")
Work_contra = TypeVar("Work_contra", contravariant=True)
Place = tuple[str, int]
"""A partition: its topic's logical name and its number."""

_PER_LANE = 8
"""Records in hand for each lane: enough that a key with several of them leaves no other lane idle."""
_LOOK = 256
"""Records that are looked at together while most are known: more would keep the loop from the API beside us."""


class Handling(Protocol[Work]):
    """What is done with raw records. `alone`: the record is tried by itself."""

    async def read(self, raws: Sequence[Any], *, alone: bool) -> Work:
        """Bytes to meaning, outside of the transaction. Must not raise."""
        ...

    async def handle(self, conn: psycopg.AsyncConnection, work: Work, failure: Failure | None) -> Sequence[Result]:
        """What became of each, in order; with a `failure` the one record is to be held, not applied."""
        ...

    def committed(self, work: Work, results: Sequence[Result]) -> None:
        """After the commit; must not wait."""
        ...


class Receiving:
    """What the engine does with the records of an inbox."""

    def __init__(
        self, inbox: Inbox, prefix: str, together: ApplyAll | None, after_commit: Callable[[], None] | None
    ) -> None:
        self._inbox, self._prefix, self._together, self._after_commit = inbox, prefix, together, after_commit

    async def read(self, raws: Sequence[Any], *, alone: bool) -> list[Decoded | Poison]:
        del alone
        records = [from_aiokafka(raw, self._prefix) for raw in raws]
        return [read(record, sequenced=self._inbox.topics[record.topic].sequenced) for record in records]

    async def handle(
        self, conn: psycopg.AsyncConnection, work: list[Decoded | Poison], failure: Failure | None
    ) -> list[Result]:
        if failure is not None and isinstance(work[0], Decoded):
            return [await self._inbox.give_up(conn, work[0], failure)]
        if self._together is not None:
            return await receive_all(self._inbox, conn, work, self._together)
        return [await self._inbox.receive(conn, item) for item in work]

    def committed(self, work: list[Decoded | Poison], results: Sequence[Result]) -> None:
        del work
        if self._after_commit is not None and any(one.outcome == "applied" or one.drained for one in results):
            self._after_commit()

    async def known(self, conn: psycopg.AsyncConnection, work: list[Decoded | Poison]) -> list[Result | None]:
        return await known(self._inbox, conn, work)


class PositionLost(Exception):
    """A stored position is not the expected one: another copy owns the partition, so roll back all and seek again."""


@dataclass(frozen=True, slots=True)
class Move:
    """One partition's step: its stored position is `expected` and becomes `next` (the offset to read next)."""

    topic: str
    partition: int
    expected: int
    next: int
    timestamp_ms: int
    """Of the last record."""


class Positions(Protocol):
    """Where a service keeps its place in its own database. Topics by their logical names."""

    async def stored(self, conn: psycopg.AsyncConnection, places: Sequence[Place]) -> Mapping[Place, int]:
        """The next offset of each partition just assigned; one that is missing starts at 0."""
        ...

    async def advance(self, conn: psycopg.AsyncConnection, moves: Sequence[Move]) -> None:
        """Move all by compare-and-set, in the transaction of the rows; raise PositionLost if one is not as expected."""
        ...

    async def reset(self, conn: psycopg.AsyncConnection, place: Place, to: int) -> None:
        """Set one position: the topic was recreated or lost records, and versions know what was seen already (F51)."""
        ...


class Known(Protocol[Work_contra]):
    """A look at many records before they are taken one by one."""

    async def __call__(self, conn: psycopg.AsyncConnection, work: Work_contra) -> Sequence[Result | None]:
        """What became of each that needs nothing more, in order; None for any other. Writes nothing."""
        ...


class ShortWay(Protocol[Work_contra]):
    """The whole batch in one statement that commits by itself: one round trip instead of a transaction's four.

    It promises what the transaction promises. What it does not know to fit it leaves to that.
    """

    async def __call__(
        self, conn: psycopg.AsyncConnection, work: Work_contra, moves: Sequence[Move]
    ) -> Sequence[Result] | None:
        """What became of each, in order, committed with the places moved; None if nothing was written at all."""
        ...


class Engine(Generic[Work]):
    """One member of a consumer group. `transient` names the service's own exceptions that waiting cures.

    `positions` want `together`: records of one partition that commit side by side have no one place. `short_way` is
    tried first wherever several records may go together. `known` spares records that go one by one their transactions.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        handling: Handling[Work],
        *,
        together: bool,
        database: Database,
        bootstrap: str,
        topic_prefix: str = "",
        group_id: str | None = None,
        transient: tuple[type[Exception], ...] = (),
        positions: Positions | None = None,
        short_way: ShortWay[Work] | None = None,
        known: Known[Work] | None = None,
        tuning: Tuning,
    ) -> None:
        self.name = name
        self.tuning = tuning if together else replace(tuning, batch_size=_PER_LANE * tuning.lanes)
        self._prefix, self._handling, self._together = topic_prefix, handling, together
        self._database, self._transient, self._positions = database, transient, positions
        self._short_way, self._known = short_way, known
        self._failing = False
        self._met_known = 0
        self._make_reader = partial(
            Reader,
            name=name,
            group_id=group_id or name,
            topics=[topic_prefix + topic for topic in topics],
            bootstrap=bootstrap,
            take=self.take,
            tuning=self.tuning,
            starts=self._starts if positions is not None else None,
            waiting_for=self._waiting_for,
        )
        self.reader: Reader = self._make_reader()
        self._topics = topics
        self._group_lag = GroupLag(
            name, group_id=group_id or name, topics=topics, bootstrap=bootstrap, prefix=topic_prefix
        )

    async def watch(self) -> None:
        """Keep the group's lag true, whoever reads, until cancelled. Of nobody whose place is not Kafka's to know."""
        if self._positions is None:
            await self._group_lag.run()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, waiting for Kafka and PostgreSQL as long as it takes; then end within the grace."""
        self.reader = self._make_reader()
        figures.begin(self.name, self._topics)
        watching = asyncio.create_task(self.watch(), name=f"{self.name} group lag")
        try:
            await self.reader.run(stop)
        finally:
            watching.cancel()

    def progress(self) -> Progress:
        """The backlog and when it last moved (reliability.md, Liveness that works)."""
        return self.reader.progress()

    async def take(self, batch: Sequence[Any]) -> bool:
        """Settle the batch; False if a stop, or another owner of a partition, came first."""
        try:
            if not self._together:
                return await self._in_lanes(batch)
            if await self._settle(batch, alone=False) is not None:
                return True
            return not self.reader.stopping.is_set() and await self._one_by_one(batch)
        except PositionLost:
            log.warning("consumer %s: another copy moved a position; seeking again", self.name)
            self.reader.seek_again()
            return False

    async def _in_lanes(self, batch: Sequence[Any]) -> bool:
        self._met_known = 0
        if self._known is None:
            return await self._lanes(batch)
        looks = self.reader.most > self.tuning.batch_size
        settled = await self._lanes(await self._without_known(batch, self._known) if looks else batch)
        # Most of what is new would only pay for the look.
        self.reader.most = _LOOK if 2 * self._met_known >= len(batch) else self.tuning.batch_size
        return settled

    async def _without_known(self, batch: Sequence[Any], known: Known[Work]) -> Sequence[Any]:
        """What is left when those are settled that are known already."""
        began_at = time.time_ns()
        work = await self._handling.read(batch, alone=False)
        try:
            async with asyncio.timeout(self.tuning.apply_deadline), self._database.autocommit() as conn:
                found = await known(conn, work)
        except Exception as error:  # noqa: BLE001 -- as in `_settle`; there whatever it is has its way of going on
            self._note(batch[0], error)
            return batch
        done = [(raw, result) for raw, result in zip(batch, found, strict=True) if result is not None]
        raws, results = [raw for raw, _ in done], [result for _, result in done]
        self._count(raws, results)
        figures.trace_together(self.name, self._prefix, raws, [one.outcome for one in results], began_at)
        self.reader.settled(*raws)
        self._met_known += len(raws)
        return [raw for raw, result in zip(batch, found, strict=True) if result is None]

    async def _lanes(self, batch: Sequence[Any]) -> bool:
        keys: dict[tuple[str, str | None], list[Any]] = {}
        for raw in batch:
            keys.setdefault((raw.topic, key_text(raw.key)), []).append(raw)
        waiting = deque(keys.values())
        async with asyncio.TaskGroup() as lanes:
            tasks = [lanes.create_task(self._lane(waiting)) for _ in range(min(self.tuning.lanes, len(waiting)))]
        return all(task.result() for task in tasks)

    async def _lane(self, waiting: deque[list[Any]]) -> bool:
        """Take one key after the other; False if a stop came first."""
        while waiting:
            for raw in waiting.popleft():
                if self.reader.stopping.is_set():
                    return False
                with figures.record_span(self.name, from_aiokafka(raw, self._prefix)) as span:
                    results = await self._settle([raw], alone=True)
                    figures.note(span, results[0].outcome if results else "released")
                if results is None:
                    return False
                self._met_known += results[0].outcome in _KNOWN
                self.reader.settled(raw)
        return True

    async def _one_by_one(self, batch: Sequence[Any]) -> bool:
        for raw in batch:
            if await self._settle([raw], alone=True) is None:
                return False
        return True

    async def _settle(self, raws: Sequence[Any], *, alone: bool) -> Sequence[Result] | None:
        """Try until the records have their outcome: for ever while waiting helps, a few times while it does not.

        None if a stop came first, or if one of several fails by its own fault, which only one by one can tell. Lets
        nothing out but cancellation and PositionLost: FastStream would swallow it, and the next record's offset would
        bury this one (K6, K10).
        """
        began_at = time.time_ns()
        work = await self._handling.read(raws, alone=alone)
        backoff = Backoff(first=self.tuning.first_backoff, cap=self.tuning.backoff_cap)
        failure, attempts = None, 0
        while True:
            try:
                results = None if alone else await self._at_once(raws, work)
                if results is None:
                    results = await self._once(raws, work, failure)
            except PositionLost:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- SystemExit would stop the whole app (K23)
                # Once given up, only holding is left to do, and a failure of that is never the record's own.
                if not self._note(raws[0], error) and failure is None:
                    if not alone:
                        return None
                    attempts += 1
                    if isinstance(error, Hold) or attempts >= self.tuning.max_attempts:
                        failure = Failure(describe(error), attempts)
                        continue
            else:
                self._failing = False
                self._done(raws, work, results, began_at)
                return results
            if not await backoff.wait(self.reader.stopping):
                return None

    async def _at_once(self, raws: Sequence[Any], work: Work) -> Sequence[Result] | None:
        """The short way, if there is one. A commit whose answer was lost is tried again and finds its places moved."""
        if self._short_way is None:
            return None
        async with self._database.autocommit() as conn:
            return await self._short_way(conn, work, self._moves(raws))

    async def _once(self, raws: Sequence[Any], work: Work, failure: Failure | None) -> Sequence[Result]:
        async with asyncio.timeout(self.tuning.apply_deadline), self._database.transaction() as conn:
            if self._positions is not None:
                # First: it takes the partitions' locks, so what follows sees what another owner has just committed.
                await self._positions.advance(conn, self._moves(raws))
            return await self._handling.handle(conn, work, failure)

    def _note(self, raw: Any, error: BaseException) -> bool:
        """Count and log a failed try; whether waiting helps. The kind of error alone is logged: its text may quote
        contact data."""
        transient = self._failing = is_transient(error, self._transient)
        kind, topic = "transient" if transient else "failed", raw.topic.removeprefix(self._prefix)
        figures.RETRIES.labels(self.name, topic, kind).inc()
        where = (topic, raw.partition, raw.offset)
        log.warning("consumer %s at %s[%d]@%d: %s (%s)", self.name, *where, type(error).__name__, kind)
        return transient

    def _done(self, raws: Sequence[Any], work: Work, results: Sequence[Result], began_at: int) -> None:
        """After the commit."""
        positions = self.reader.positions
        if positions is not None:
            for place, offset in {(raw.topic, raw.partition): raw.offset for raw in raws}.items():
                partition = TopicPartition(*place)
                if partition in positions:
                    positions[partition] = offset + 1
        self._count(raws, results)
        if self._together:
            figures.trace_together(self.name, self._prefix, raws, [one.outcome for one in results], began_at)
        crash_point("consumer.after_commit")
        self._handling.committed(work, results)

    def _count(self, raws: Sequence[Any], results: Sequence[Result]) -> None:
        """Exactly one outcome per record (I13); alarms for what is held; the pause of a topic that lost records."""
        outcomes = Counter((raw.topic, one.outcome) for raw, one in zip(raws, results, strict=True))
        for (topic, outcome), number in outcomes.items():
            figures.RECORDS.labels(self.name, topic.removeprefix(self._prefix), outcome).inc(number)
        for raw, one in zip(raws, results, strict=True):
            if one.drained:
                figures.DRAINED.labels(self.name, raw.topic.removeprefix(self._prefix)).inc(one.drained)
            if one.outcome in _HELD:
                self._alarm(raw, one)

    def _alarm(self, raw: Any, result: Result) -> None:
        topic, limit = raw.topic.removeprefix(self._prefix), self.tuning.gap_limit
        log.error("consumer %s holds %s[%d]@%d: %s", self.name, topic, raw.partition, raw.offset, result.outcome)
        if limit is not None and result.gap_keys > limit:
            self.reader.pause(TopicPartition(raw.topic, raw.partition))
            log.error(
                "consumer %s paused %s[%d]: %d keys wait for a predecessor, so the topic lost records;"
                " run `booking-ops republish` and start with a higher CONSUMER_GAP_LIMIT until it has caught up",
                *(self.name, topic, raw.partition, result.gap_keys),
            )

    async def _waiting_for(self) -> str | None:
        """ "postgres" while tries fail and it does not answer.

        A pool that broke for good must not pass for a database that is down (K30, F31), so it is asked beside the pool.
        """
        if self._failing and not await answers(self._database.url):
            return "postgres"
        return None

    def _moves(self, raws: Sequence[Any]) -> list[Move]:
        assert self.reader.positions is not None
        moves: list[Move] = []
        for (topic, partition), raw in {(raw.topic, raw.partition): raw for raw in raws}.items():
            expected = self.reader.positions.get(TopicPartition(topic, partition))
            if expected is None:
                raise PositionLost(f"{topic}[{partition}] was given back")
            logical = topic.removeprefix(self._prefix)
            moves.append(Move(logical, partition, expected, raw.offset + 1, raw.timestamp or 0))
        return moves

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The stored positions, or where the topic begins if it is no longer the topic they were taken from."""
        consumer, positions = self.reader.consumer, self._positions
        assert consumer is not None
        assert positions is not None
        first, end = await consumer.beginning_offsets(list(partitions)), await consumer.end_offsets(list(partitions))
        starts: dict[TopicPartition, int] = {}
        async with self._database.transaction() as conn:
            stored = await positions.stored(
                conn, [(p.topic.removeprefix(self._prefix), p.partition) for p in partitions]
            )
            for partition in partitions:
                place = (partition.topic.removeprefix(self._prefix), partition.partition)
                starts[partition] = position = stored.get(place, 0)
                if not first[partition] <= position <= end[partition]:
                    # F50, F51: never a silent jump. Versions know what was seen; what is missing shows as held gaps.
                    log.error(
                        "consumer %s, %s[%d]: position %d is outside of the topic (%d to %d), which was recreated or"
                        " lost records. What is there is read; `booking-ops republish` and a rebuild prove the rows.",
                        *(self.name, *place, position, first[partition], end[partition]),
                    )
                    starts[partition] = first[partition]
                    await positions.reset(conn, place, first[partition])
        return starts


_HELD = frozenset({"gap", "undecodable", "failed"})
_KNOWN = frozenset({"duplicate", "ignored"})
