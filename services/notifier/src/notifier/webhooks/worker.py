"""The sender of webhooks: each delivery is claimed, posted to its endpoint, and what came of it is written down."""

import time
from typing import Any
from uuid import UUID

import psycopg
import structlog
from opentelemetry.trace import SpanKind

from booking_process.database import Database
from booking_process.telemetry import linked_span
from notifier.ledger_worker import LedgerWorker, traced
from notifier.webhooks import metrics
from notifier.webhooks.claim import Attempt, claim_next
from notifier.webhooks.ledger import purge
from notifier.webhooks.post import Failed, Outcome, Poster
from notifier.webhooks.record import record_outcome, recover
from notifier.webhooks.schedule import Schedule

_logger = structlog.get_logger("notifier.webhooks")
_PURGE_SECONDS = 600.0


class WebhookSender(LedgerWorker[Attempt, Outcome]):
    """Delivers what is due.

    Promise: at least once. A try is committed as `sending` before it leaves, its outcome is committed after; a try
    whose end nobody recorded is made again with the same `webhook-id`.
    """

    def __init__(
        self, poster: Poster, *, database: Database, schedule: Schedule | None = None, concurrency: int = 16
    ) -> None:
        self._poster = poster
        self._schedule = schedule or Schedule()
        self._purged_at = -_PURGE_SECONDS
        super().__init__(
            "webhook-sender",
            database=database,
            crash_points="webhook",
            recover_every=self._schedule.recover_every,
            concurrency=concurrency,
        )

    async def close(self) -> None:
        """Give up connections."""
        await self._poster.close()

    async def _claim(self) -> Attempt | None:
        async with self._database.autocommit() as conn:
            return await claim_next(conn, self._schedule)

    async def _send(self, attempt: Attempt) -> Outcome:
        with linked_span(
            "send webhook",
            traceparent=attempt.traceparent,
            kind=SpanKind.CLIENT,
            attributes={"webhook.delivery": str(attempt.id), "webhook.attempt": attempt.number},
        ):
            return await self._poster.post(attempt.url, attempt.headers, attempt.body)

    def _of_error(self, code: str) -> Outcome:
        return Failed(code)

    def _took(self, seconds: float) -> None:
        metrics.SECONDS.observe(seconds)

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        status = await self._written(lambda conn: record_outcome(conn, attempt, outcome, self._schedule))
        reason = outcome.reason if isinstance(outcome, Failed) else None
        metrics.ATTEMPTS.labels(_family(reason)).inc()
        tell = _logger.error if status == "disabled" else _logger.info
        tell(
            "webhook_endpoint_disabled" if status == "disabled" else "webhook_attempted",
            endpoint_id=str(attempt.endpoint_id),
            delivery_id=str(attempt.id),
            type=attempt.event_type,
            attempt=attempt.number,
            status=status,
            reason=reason,
            **traced(attempt.traceparent),
        )

    async def _recover(self, conn: psycopg.AsyncConnection[Any], alive: list[UUID]) -> int:
        return await recover(conn, alive)

    async def _watch(self, conn: psycopg.AsyncConnection[Any]) -> int:
        due = await metrics.watch(conn)
        if time.monotonic() - self._purged_at >= _PURGE_SECONDS and await purge(conn) == 0:
            self._purged_at = time.monotonic()
        return due


def _family(reason: str | None) -> str:
    """The label of a reason: few, whatever receivers answer."""
    if reason is None:
        return "delivered"
    return "http" if reason.startswith("http_") else "internal" if reason.startswith("internal_") else reason
