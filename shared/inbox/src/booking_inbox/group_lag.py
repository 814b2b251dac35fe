"""How far a consumer group is behind, seen from outside: true also when nobody reads (docs/operations.md).

What a reader tells of itself goes with it. Here the group's committed places are compared with the topics' ends, by any
process of the service, whoever reads and whether anybody does.
"""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within

log = logging.getLogger("booking.consumer")

LAG_EVENTS = Gauge("booking_group_lag_events", "Records that the group has not settled.", ["consumer", "topic"])
LAG_SECONDS = Gauge(
    "booking_group_lag_seconds", "How long the oldest of them has been seen to wait.", ["consumer", "topic"]
)
_EVERY = 10.0
_MOST_SEEN = 1000


class Waiting:
    """How long records of one partition have waited, from what was seen of its end: no record is read for it."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, now: float, committed: int, end: int) -> float:
        """Seconds since the end was first seen beyond what is committed; 0 when nothing waits."""
        seen = self._seen
        if not seen or end != seen[-1][1]:
            seen.append((now, end))
        while seen and seen[0][1] <= committed:
            seen.popleft()
        if len(seen) > _MOST_SEEN:  # an outage of hours: every second one is enough
            self._seen = deque(list(seen)[::2])
        return now - self._seen[0][0] if self._seen else 0.0


class GroupLag:
    """The gauges of one group; topics by their logical names."""

    def __init__(self, consumer: str, *, group_id: str, topics: Sequence[str], bootstrap: str, prefix: str) -> None:
        self._consumer, self._group_id, self._topics = consumer, group_id, topics
        self._bootstrap, self._prefix = bootstrap, prefix
        self._waiting: dict[TopicPartition, Waiting] = {}

    async def run(self, every: float = _EVERY) -> None:
        """Look again and again, until cancelled. What can't be seen is not shown: an old figure would be believed."""
        while True:
            await asyncio.sleep(every)  # first, too: what starts has more urgent things to do
            client = AIOKafkaConsumer(  # of the group, without joining it: it subscribes to nothing
                **client_options(self._bootstrap), group_id=self._group_id, enable_auto_commit=False
            )
            try:
                await within(10.0, client.start())
                while True:
                    await within(10.0, self._look(client))
                    await asyncio.sleep(every)
            except (KafkaError, TimeoutError, OSError) as error:
                log.info("the lag of group %s is unknown: %s", self._group_id, type(error).__name__)
            except Exception:  # a figure must not end for good because of one bad answer
                log.exception("the lag of group %s could not be counted", self._group_id)
            finally:
                self._forget()
                with contextlib.suppress(KafkaError, TimeoutError, OSError):
                    await within(2.0, client.stop())

    async def _look(self, client: AIOKafkaConsumer) -> None:
        for topic in self._topics:
            events, seconds = 0, 0.0
            partitions = await client._client._wait_on_metadata(self._prefix + topic)  # noqa: SLF001
            places = [TopicPartition(self._prefix + topic, partition) for partition in sorted(partitions)]
            ends = await client.end_offsets(places)
            now = time.monotonic()
            for place in places:
                committed = await client.committed(place) or 0
                events += max(0, ends[place] - committed)
                waiting = self._waiting.setdefault(place, Waiting())
                seconds = max(seconds, waiting.look(now, committed, ends[place]))
            LAG_EVENTS.labels(self._consumer, topic).set(events)
            LAG_SECONDS.labels(self._consumer, topic).set(seconds)

    def _forget(self) -> None:
        for topic in self._topics:
            for gauge in (LAG_EVENTS, LAG_SECONDS):
                with contextlib.suppress(KeyError):
                    gauge.remove(self._consumer, topic)
