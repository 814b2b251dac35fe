"""What an operator watches: outcomes, lateness of timers, providers that refuse us, waiting messages."""

from typing import Any, LiteralString, get_args

import psycopg
from prometheus_client import Counter, Gauge, Histogram

from booking_process.observed import refreshed
from notifier.rules import TABLE, Template

OUTCOMES = Counter(
    "notifier_outcomes_total", "Attempts and settlements by what they came to", ["channel", "template", "state"]
)
LATENESS = Histogram(
    "notifier_timer_lateness_seconds",
    "How long after its due time a reminder or nudge was taken up (N4)",
    ["template"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600),
)
SEND_SECONDS = Histogram(
    "notifier_send_seconds",
    "How long a provider took for one message",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20),
)
WAITING = Gauge("notifier_messages_due", "Messages that are due and not settled", ["channel"])
OLDEST = Gauge("notifier_oldest_due_seconds", "Age of the oldest message that is due and not settled", ["channel"])
FAILED = Gauge(
    "notifier_messages_unresolved",
    "Messages failed or ambiguous for good, for an admin to look at",
    ["channel", "state"],
)
PROVIDER_DOWN = Gauge(
    "notifier_provider_down", "1 while the provider is left alone because it did not take mail", ["channel"]
)
NEEDS_A_PERSON = Gauge(
    "notifier_provider_refuses_us",
    "1 while the provider refuses our token, password or configuration (F84: 190)",
    ["channel"],
)

_DUE: LiteralString = """
SELECT count(*), coalesce(extract(epoch FROM max(clock_timestamp() - due_at)), 0)::float8
FROM (SELECT due_at FROM notification WHERE channel = %s AND state IN ('pending', 'ambiguous')
      AND not_before <= clock_timestamp() LIMIT 10000) d"""
_UNRESOLVED: LiteralString = """
SELECT state, count(*) FROM (SELECT state FROM notification
      WHERE channel = %s AND state IN ('failed', 'ambiguous') AND not_before IS NULL LIMIT 10000) f
GROUP BY state"""


def begin(channel: str) -> None:
    """Shows 0 of a channel before anything happens: `rate` sees no rise of a series that begins with its first."""
    SEND_SECONDS.labels(channel)
    PROVIDER_DOWN.labels(channel).set(0)
    NEEDS_A_PERSON.labels(channel).set(0)
    for template in {rule.template for rules in TABLE.values() for rule in rules if rule.timer}:
        LATENESS.labels(template)
    for template in get_args(Template):
        for state in ("sent", "failed", "ambiguous", "skipped", "pending"):
            OUTCOMES.labels(channel, template, state)


async def watch(conn: psycopg.AsyncConnection[Any], channel: str) -> int:
    """Set the gauges of one channel; how many messages could leave now."""
    row = await (await conn.execute(_DUE, [channel])).fetchone()
    due, age = row if row is not None else (0, 0.0)
    WAITING.labels(channel).set(due)
    OLDEST.labels(channel).set(age)
    found = dict(await (await conn.execute(_UNRESOLVED, [channel])).fetchall())
    for state in ("failed", "ambiguous"):
        FAILED.labels(channel, state).set(found.get(state, 0))
    refreshed(f"messages by {channel}")
    return due
