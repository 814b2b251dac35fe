"""How far behind the relay is: counted apart from sending, so that the figures are true in just the incidents for which
they are there (Kafka dead, nobody leads, publishing refused)."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from booking_outbox.metrics import RelayMetrics
from booking_outbox.session import Connection, connect_watch

_log = logging.getLogger(__name__)
COUNTED_AT_MOST = 100_000
_LOOK_SECONDS = 2.0
# The age of the lowest mark is the oldest's within a transaction's length; counting stops where the figure stops
# mattering.
_LOOK = f"""
SELECT t,
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE topic = t LIMIT {COUNTED_AT_MOST}) counted),
       (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
        FROM outbox WHERE topic = t ORDER BY id LIMIT 1)
FROM unnest(%s::text[]) t
"""  # noqa: S608 - constants only


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
            except Exception:  # noqa: BLE001 - a figure must not end for good because of one bad answer
                _log.exception("relay: the lag could not be counted")
            finally:
                self._metrics.lag_events.clear()
                self._metrics.lag_seconds.clear()
            await asyncio.sleep(1)

    async def _look(self, conn: Connection) -> None:
        looking = asyncio.create_task(look(conn, self._topics, self._metrics), name="relay look")
        try:
            await asyncio.shield(looking)
        except asyncio.CancelledError:  # a stop does not wait for a server that is silent
            conn.shut()
            await asyncio.gather(looking, return_exceptions=True)
            raise


async def look(conn: psycopg.AsyncConnection[Any], topics: Sequence[str], metrics: RelayMetrics) -> None:
    """Write each topic's lag into the metrics: events (at most 100,000 are counted) and seconds."""
    cursor = conn.cursor()
    await cursor.execute(_LOOK.encode(), ["{" + ",".join(topics) + "}"])
    for topic, events, seconds in await cursor.fetchall():
        name = topic.decode() if isinstance(topic, bytes) else topic
        metrics.lag_events[name] = events
        metrics.lag_seconds[name] = max(0.0, seconds or 0.0)
    if not any(metrics.lag_events.values()):
        metrics.empty_at = time.monotonic()
