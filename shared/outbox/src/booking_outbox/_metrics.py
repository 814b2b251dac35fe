"""The relay's figures as /metrics shows them, and how far behind it is: counted apart from sending, so that the figures
are true in just the incidents for which they are there (Kafka dead, nobody leads, publishing refused)."""

import asyncio
import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import psycopg
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from booking_outbox._lead import Connection, connect_watch

log = logging.getLogger("booking_outbox.relay")


_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(eq=False)
class Times:
    """A histogram's counts: times in seconds, by the first bucket that holds them."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: each holds those before it."""
        return list(zip([*map(str, _BUCKETS), "+Inf"], accumulate(self.counts), strict=True))


@dataclass(eq=False)
class RelayMetrics(Collector):
    """Counted since the start of the process, read when it is asked for.

    The lag is of the last look, at most a few seconds old, whoever leads and whatever Kafka does (see `LagWatch`).
    While the database can't be reached nothing is known of it: the figures are absent rather than old.
    ``waiting_for`` names what does not answer, refuses, or forbids going on: ``kafka``, ``postgres``, ``operator``.
    """

    leader: bool = False
    refused: bool = False
    waiting_for: str | None = None
    empty_at: float | None = None  # time.monotonic() of the last look that found nothing waiting
    lag_events: dict[str, int] = field(default_factory=dict[str, int])
    lag_seconds: dict[str, float] = field(default_factory=dict[str, float])
    published: Counter[str] = field(default_factory=Counter[str])
    failed_batches: Counter[str] = field(default_factory=Counter[str])
    took: dict[str, Times] = field(default_factory=dict[str, Times])

    def begin(self, events: Sequence[str], states: Sequence[str]) -> None:
        """Shows 0 of these topics before anything is sent: `rate` sees no rise of a series that begins with it."""
        for topic in (*events, *states):
            self.published[topic] += 0
            self.failed_batches[topic] += 0
        for topic in events:
            self.took.setdefault(topic, Times())

    def collect(self) -> Iterator[Metric]:
        """Every figure, with its topic's logical name as label."""
        yield GaugeMetricFamily("booking_relay_leader", "1 while this process holds the leader's lock.", self.leader)
        yield GaugeMetricFamily("booking_relay_refused", "1 while a restored store forbids publishing.", self.refused)
        waiting = {cause: self.waiting_for == cause for cause in ("kafka", "operator", "postgres")}
        about = "1 while the relay can't go on because of this."
        yield _filled(GaugeMetricFamily("booking_relay_waiting", about, labels=["cause"]), waiting)
        about = "Committed and not yet published."
        yield _filled(GaugeMetricFamily("booking_relay_lag_events", about, labels=["topic"]), self.lag_events)
        about = "Age of the oldest unpublished mark."
        yield _filled(GaugeMetricFamily("booking_relay_lag_seconds", about, labels=["topic"]), self.lag_seconds)
        about = "Records acknowledged."
        yield _filled(CounterMetricFamily("booking_relay_published", about, labels=["topic"]), self.published)
        about = "Batches not acknowledged in time."
        yield _filled(CounterMetricFamily("booking_relay_failed_batches", about, labels=["topic"]), self.failed_batches)
        about = "From the commit of a batch's oldest event to its acknowledgment."
        times = HistogramMetricFamily("booking_relay_publish_seconds", about, labels=["topic"])
        for topic, took in self.took.items():
            times.add_metric([topic], took.buckets(), took.total)
        yield times


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> Metric:
    for label, value in values.items():
        family.add_metric([label], value)
    return family


_LOOK_SECONDS = 2.0
# The age of the lowest mark is the oldest's within a transaction's length; counting stops where the figure stops
# mattering.
_LOOK = """
SELECT t,
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE topic = t LIMIT 100000) counted),
       (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
        FROM outbox WHERE topic = t ORDER BY id LIMIT 1)
FROM unnest(%s::text[]) t
"""


class LagWatch:
    """Keeps ``metrics`` true every two seconds, from a session of its own, until cancelled.

    Each process that can reach the database runs one, also those that don't lead or don't relay at all.
    """

    def __init__(self, url: str, topics: Sequence[str], metrics: RelayMetrics) -> None:
        self._url = url
        self._topics = topics
        self._metrics = metrics

    async def run(self) -> None:
        """Look again and again. What can't be seen is not shown: a figure that stands still would be believed."""
        while True:
            try:
                async with await connect_watch(self._url) as conn:
                    while True:
                        await self._look(conn)
                        await asyncio.sleep(_LOOK_SECONDS)
            except (psycopg.Error, OSError):
                pass  # the relay itself, or readiness, says that the database is away
            except Exception:  # a figure must not end for good because of one bad answer
                log.exception("relay: the lag could not be counted")
            finally:
                self._metrics.lag_events.clear()
                self._metrics.lag_seconds.clear()
            await asyncio.sleep(1)

    async def _look(self, conn: Connection) -> None:
        looking = asyncio.create_task(look(conn, self._topics, self._metrics), name="relay look")
        try:
            await asyncio.shield(looking)
        except asyncio.CancelledError:  # a stop does not wait for a server that is silent
            conn.cut()
            await asyncio.gather(looking, return_exceptions=True)
            raise


async def look(conn: psycopg.AsyncConnection[Any], topics: Sequence[str], metrics: RelayMetrics) -> None:
    """Write each topic's lag into the metrics: events (at most 100,000 are counted) and seconds."""
    cursor = conn.cursor()
    await cursor.execute(_LOOK, ["{" + ",".join(topics) + "}"])
    for topic, events, seconds in await cursor.fetchall():
        name = topic.decode() if isinstance(topic, bytes) else topic
        metrics.lag_events[name] = events
        metrics.lag_seconds[name] = max(0.0, seconds or 0.0)
    if not any(metrics.lag_events.values()):
        metrics.empty_at = time.monotonic()
