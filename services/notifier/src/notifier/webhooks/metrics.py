"""What an operator watches: outcomes, what is late, endpoints that fail or were disabled."""

from typing import Any, LiteralString

import psycopg
from prometheus_client import Counter, Gauge, Histogram

from booking_process.observed import refreshed

ATTEMPTS = Counter("notifier_webhook_attempts_total", "Tries by what they came to", ["outcome"])
for _outcome in (
    "delivered",
    "http",
    "timeout",
    "private_address",
    "unknown_host",
    "tls",
    "unreachable",
    "cut",
    "internal",
):
    ATTEMPTS.labels(_outcome)  # at 0 before the first: `rate` sees no rise of a series that begins with it
SECONDS = Histogram(
    "notifier_webhook_attempt_seconds", "How long one try took", buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20)
)
DUE = Gauge("notifier_webhook_deliveries_due", "Deliveries to enabled endpoints that are due")
OLDEST = Gauge("notifier_webhook_oldest_due_seconds", "How long the oldest delivery that is due has been")
ENDPOINTS = Gauge("notifier_webhook_endpoints", "Endpoints by status: enabled, failing, disabled", ["status"])

_DUE: LiteralString = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(due.not_before)), 0)::float8
FROM webhook_endpoint e CROSS JOIN LATERAL (
    SELECT d.not_before FROM webhook_delivery d
    WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.not_before <= clock_timestamp()
    ORDER BY d.not_before, d.id LIMIT 1000) due
WHERE e.status = 'enabled'"""
_ENDPOINTS: LiteralString = """
SELECT CASE WHEN status = 'enabled' AND failing_since IS NOT NULL THEN 'failing' ELSE status END, count(*)
FROM webhook_endpoint WHERE status <> 'deleted' GROUP BY 1"""


async def watch(conn: psycopg.AsyncConnection[Any]) -> int:
    """Set the gauges; how many deliveries could leave now."""
    row = await (await conn.execute(_DUE)).fetchone()
    due, age = row if row is not None else (0, 0.0)
    DUE.set(due)
    OLDEST.set(age)
    found = dict(await (await conn.execute(_ENDPOINTS)).fetchall())
    for status in ("enabled", "failing", "disabled"):
        ENDPOINTS.labels(status).set(found.get(status, 0))
    refreshed("webhooks")
    return due
