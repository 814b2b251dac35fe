"""What the projection counts and measures."""

from typing import Any

import psycopg
from prometheus_client import Counter, Gauge

SWITCHES = Counter("booking_projection_switches", "Rebuilt generations that were shown.")
LAG_EVENTS = Gauge("booking_projection_lag_events", "Events not yet in the rows.", ["state"])
LAG_SECONDS = Gauge("booking_projection_lag_seconds", "Age of the last event in the rows while others wait.", ["state"])
DONE_RATIO = Gauge(
    "booking_projection_rebuild_ratio", "How much of the topic the building generation has read, 0 to 1."
)

LAG = """
SELECT g.id, g.state, e.topic, e.partition, coalesce(p.next_offset, 0), e.first_offset, e.end_offset,
       p.last_timestamp_ms, e.measured_at
FROM generation g
CROSS JOIN projection_end e
LEFT JOIN projection_position p ON (p.generation, p.topic, p.partition) = (g.id, e.topic, e.partition)
WHERE g.state IN ('active', 'building') AND e.topic = %s
ORDER BY g.id, e.topic, e.partition
"""


async def publish_lag(conn: psycopg.AsyncConnection[Any], topic: str) -> None:
    """Set the gauges from what the positions and the topic's ends say."""
    rows = await (await conn.execute(LAG, (topic,))).fetchall()
    now = await (await conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000")).fetchone()
    for state in ("active", "building"):
        mine = [row for row in rows if row[1] == state]
        waiting = sum(max(0, row[6] - row[4]) for row in mine)
        ages = [(now[0] - row[7]) / 1000 for row in mine if now and row[7] and row[6] > row[4]]
        LAG_EVENTS.labels(state).set(waiting)
        LAG_SECONDS.labels(state).set(max(0.0, *ages) if ages else 0.0)
    built = [row for row in rows if row[1] == "building"]
    total = sum(row[6] - row[5] for row in built)
    DONE_RATIO.set(sum(row[4] - row[5] for row in built) / total if total else 0.0)
