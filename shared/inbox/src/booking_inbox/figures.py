"""What a consumer shows: its metrics, a span per record, how far behind it is, and when its client must be replaced.

aiokafka can fall silent after a restart or rebalance and look healthy (K3), FastStream's ping asks for metadata only
(K17). So progress is measured from outside: end offsets through a connection of its own against what was settled.
docs/operations.md says what to do about each metric.
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within
from booking_contracts.decode import Record
from booking_contracts.envelope import traceparent_in
from booking_contracts.records import from_aiokafka
from booking_inbox import held
from booking_inbox.client import Assignment, OffsetCommits
from booking_inbox.patience import Tuning
from booking_outbox import Progress

log = logging.getLogger("booking.consumer")

_PROPAGATOR = TraceContextTextMapPropagator()

RECORDS = Counter("booking_consumer_records", "Records by what became of them (I13).", ["consumer", "topic", "outcome"])
DRAINED = Counter("booking_consumer_drained", "Held records applied when their turn came.", ["consumer", "topic"])
RETRIES = Counter("booking_consumer_retries", "Tries that failed, by kind.", ["consumer", "topic", "kind"])
CLIENTS_REPLACED = Counter("booking_consumer_clients_replaced", "Stuck Kafka clients thrown away.", ["consumer"])
LAG_EVENTS = Gauge("booking_consumer_lag_events", "Records not settled yet.", ["consumer", "topic", "partition"])
LAG_SECONDS = Gauge(
    "booking_consumer_lag_seconds",
    "Age of the last settled record while others wait, at most the time for which any does.",
    ["consumer", "topic", "partition"],
)
ASSIGNED = Gauge("booking_consumer_assigned_partitions", "Partitions of this copy.", ["consumer"])
PAUSED = Gauge("booking_consumer_paused_partitions", "Partitions paused for too many gaps.", ["consumer"])
HELD_KEYS = Gauge("booking_consumer_held_keys", "Keys with held records.", ["consumer", "topic", "reason"])
HELD_OLDEST = Gauge(
    "booking_consumer_held_oldest_seconds", "Age of the oldest held record.", ["consumer", "topic", "reason"]
)


OUTCOMES = ("applied", "duplicate", "ignored", "unknown", "gap", "undecodable", "failed")
_KINDS, _REASONS = ("transient", "failed"), ("gap", "undecodable", "failed")


def begin(consumer: str, topics: Sequence[str]) -> None:
    """Shows 0 before anything happens: `rate` sees no rise of a series that begins with its first event."""
    CLIENTS_REPLACED.labels(consumer)
    ASSIGNED.labels(consumer)
    PAUSED.labels(consumer)
    for topic in topics:
        DRAINED.labels(consumer, topic)
        for outcome in OUTCOMES:
            RECORDS.labels(consumer, topic, outcome)
        for kind in _KINDS:
            RETRIES.labels(consumer, topic, kind)
        for reason in _REASONS:
            HELD_KEYS.labels(consumer, topic, reason)
            HELD_OLDEST.labels(consumer, topic, reason)


async def publish_held(conn: psycopg.AsyncConnection, consumer: str, *, counts: bool = True) -> None:
    """Set the gauges of held keys and of the oldest one's age; to 0 where what this consumer holds does not count."""
    summary = await held.summary(conn, consumer) if counts else []
    found = {(topic, reason): (keys, seconds) for topic, reason, keys, seconds in summary}
    for gauge, which in ((HELD_KEYS, 0), (HELD_OLDEST, 1)):
        for labels in [sample.labels for metric in gauge.collect() for sample in metric.samples]:
            if labels["consumer"] == consumer and (labels["topic"], labels["reason"]) not in found:
                gauge.labels(**labels).set(0)
        for (topic, reason), numbers in found.items():
            gauge.labels(consumer, topic, reason).set(numbers[which])


@contextmanager
def record_span(
    consumer: str, record: Record, tracer: trace.Tracer | None = None, *, began_at: int | None = None
) -> Generator[trace.Span]:
    """The processing of one record: child of the record's `traceparent`, and linked to it.

    Ids and positions only: neither the body nor an error's text goes into a span (reliability.md T32).
    """
    origin = _PROPAGATOR.extract({"traceparent": traceparent_in(record.headers) or ""})
    remote = trace.get_current_span(origin).get_span_context()
    with (tracer or trace.get_tracer("booking.consumer")).start_as_current_span(
        f"process {record.topic}",
        context=origin if remote.is_valid else None,
        kind=SpanKind.CONSUMER,
        links=[Link(remote)] if remote.is_valid else [],
        record_exception=False,
        set_status_on_exception=False,
        start_time=began_at,
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": consumer,
        },
    ) as span:
        yield span


def trace_together(consumer: str, prefix: str, raws: Sequence[Any], outcomes: Sequence[str], began_at: int) -> None:
    """Spans of the records of a batch that belong to a trace, as `record_span` makes them, from `began_at` (ns) to now.

    After the fact: who takes thousands at once can't begin one for each, and few of them are traced."""
    for raw, outcome in zip(raws, outcomes, strict=True):
        if not any(name == "traceparent" for name, _ in raw.headers):
            continue
        with record_span(consumer, from_aiokafka(raw, prefix), began_at=began_at) as span:
            span.set_attribute("booking.batch", len(raws))
            note(span, outcome)


def note(span: trace.Span, outcome: str) -> None:
    """What became of the record."""
    span.set_attribute("booking.outcome", outcome)
    if outcome in {"failed", "undecodable"}:
        span.set_status(StatusCode.ERROR, outcome)


class Watched(Protocol):
    """A reader as far as the monitor looks at it."""

    name: str
    topics: tuple[str, ...]
    bootstrap: str
    tuning: Tuning
    stopping: asyncio.Event
    paused: set[TopicPartition]
    assignment: Assignment
    offsets: OffsetCommits
    in_hand: list[Any]
    waiting_for: Callable[[], Coroutine[Any, Any, str | None]]

    @property
    def consumer(self) -> AIOKafkaConsumer | None: ...  # its Kafka client of the moment

    @property
    def reading(self) -> bool: ...  # whether the client's loop is still there

    async def touch(self) -> None: ...  # keep a long handler's place in the group


class Monitor:
    """Backlog, lag and stalls of one reader."""

    def __init__(self, reader: Watched) -> None:
        self._reader = reader
        self._probe: AIOKafkaConsumer | None = None
        self.backlog = 0
        self.moved_at = self._looked_at = time.monotonic()
        self.waiting_for: str | None = "kafka"
        """What does not answer, so that a restart would help nobody."""
        self._last_timestamp: dict[TopicPartition, int] = {}
        self._level_at: dict[TopicPartition, float] = {}
        self._uncommitted_since: float | None = None
        self._lagging: frozenset[TopicPartition] = frozenset()
        self._assigned = self._paused = 0

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
        self._level_at.clear()

    def ended(self, stop: asyncio.Event) -> None:
        """Nobody reads any more. Unasked, that is no good health, whatever was seen last."""
        if not stop.is_set():
            self.backlog, self.waiting_for = max(1, self.backlog), None
        self._publish_assigned(frozenset(), paused=0)

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
                    CLIENTS_REPLACED.labels(self._reader.name).inc()
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
        self._publish_assigned(partitions, paused=len(reader.paused))
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
        self._publish_lag(behind)

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
            self._probe = AIOKafkaConsumer(**client_options(self._reader.bootstrap))
            await within(5.0, self._probe.start())
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

    def _publish_assigned(self, partitions: frozenset[TopicPartition] | None, *, paused: int) -> None:
        """Before Kafka is asked for anything: of a topic that is gone it does not answer, and its share is gone.
        None while none is complete: then nobody reads, but the lag is what it was."""
        name, assigned = self._reader.name, len(partitions or ())
        # Several readers of one process may share the name, so each adds its own part.
        ASSIGNED.labels(name).inc(assigned - self._assigned)
        PAUSED.labels(name).inc(paused - self._paused)
        self._assigned, self._paused = assigned, paused
        for gone in self._lagging - (self._lagging if partitions is None else partitions):
            for gauge in (LAG_EVENTS, LAG_SECONDS):
                with contextlib.suppress(KeyError):  # the reader that has it now may have gone too
                    gauge.remove(name, gone.topic, gone.partition)
        self._lagging = self._lagging if partitions is None else self._lagging & partitions

    def _publish_lag(self, behind: dict[TopicPartition, int]) -> None:
        name, now = self._reader.name, time.time() * 1000
        self._lagging = frozenset(behind)
        for partition, records in behind.items():
            LAG_EVENTS.labels(name, partition.topic, partition.partition).set(records)
            if records == 0:
                self._level_at[partition] = now
            # Nobody waits for longer than since nobody did: after a quiet night the last settled record is hours old.
            last = max(self._last_timestamp.get(partition, 0), self._level_at.get(partition, 0))
            seconds = 0.0 if records == 0 or not last else max(0.0, (now - last) / 1000)
            LAG_SECONDS.labels(name, partition.topic, partition.partition).set(seconds)
