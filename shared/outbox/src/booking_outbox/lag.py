"""How far behind the relay is."""

from collections.abc import Sequence
from typing import Any

import psycopg

from booking_outbox.metrics import RelayMetrics

COUNTED_AT_MOST = 100_000
# The age of the lowest mark is the oldest's within a transaction's length; counting stops where the figure stops
# mattering.
_LOOK = f"""
SELECT t,
       (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE topic = t LIMIT {COUNTED_AT_MOST}) counted),
       (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
        FROM outbox WHERE topic = t ORDER BY id LIMIT 1)
FROM unnest(%s::text[]) t
"""  # noqa: S608 - constants only


async def look(conn: psycopg.AsyncConnection[Any], topics: Sequence[str], metrics: RelayMetrics) -> None:
    """Write each topic's lag into the metrics: events (at most 100,000 are counted) and seconds."""
    cursor = conn.cursor()
    await cursor.execute(_LOOK.encode(), ["{" + ",".join(topics) + "}"])
    for topic, events, seconds in await cursor.fetchall():
        name = topic.decode() if isinstance(topic, bytes) else topic
        metrics.lag_events[name] = events
        metrics.lag_seconds[name] = max(0.0, seconds or 0.0)
