"""The figures that an operator's alarms stand on, read now and then."""

from typing import Any

import psycopg

from notifier import metrics

_DUE = """
SELECT count(*), coalesce(extract(epoch FROM max(clock_timestamp() - due_at)), 0)::float8
FROM (SELECT due_at FROM notification WHERE channel = %s AND state IN ('pending', 'ambiguous')
      AND not_before <= clock_timestamp() LIMIT 10000) d"""
_UNRESOLVED = """
SELECT state, count(*) FROM (SELECT state FROM notification
      WHERE channel = %s AND state IN ('failed', 'ambiguous') AND not_before IS NULL LIMIT 10000) f
GROUP BY state"""


async def watch(conn: psycopg.AsyncConnection[Any], channel: str) -> int:
    """Set the gauges of one channel; how many messages could leave now."""
    row = await (await conn.execute(_DUE, [channel])).fetchone()
    due, age = row if row is not None else (0, 0.0)
    metrics.WAITING.labels(channel).set(due)
    metrics.OLDEST.labels(channel).set(age)
    found = dict(await (await conn.execute(_UNRESOLVED, [channel])).fetchall())
    for state in ("failed", "ambiguous"):
        metrics.FAILED.labels(channel, state).set(found.get(state, 0))
    return due
