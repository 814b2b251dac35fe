"""The sender of one channel: each message is claimed, handed to the provider, and what came of it is written down."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import structlog
from opentelemetry.trace import SpanKind

from booking_process.database import Database, DatabaseDownError
from booking_process.observed import depends, saw
from booking_process.telemetry import linked_span
from notifier.ledger_worker import IDLE_SECONDS, LedgerWorker, pause, traced
from notifier.sending import metrics
from notifier.sending.breaker import Breaker, suspended_by
from notifier.sending.channel import Accepted, Channel, Later, Outcome, ProviderDown, Unknown
from notifier.sending.claim import Attempt, Settled, claim_next
from notifier.sending.pacing import RetryPolicy, pace_after_message, pause_after_refusal
from notifier.sending.record import record_outcome, recover, still_sending

_logger = structlog.get_logger("notifier.sending")


class Sender(LedgerWorker[Attempt, Outcome]):
    """Sends what is due on one channel.

    Promise: an attempt is committed as `sending` before it leaves, its outcome is committed after; an attempt whose end
    nobody recorded becomes `ambiguous` and is tried once more.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        database: Database,
        policy: RetryPolicy,
        platform_zone: str,
        published: Callable[[], None] = lambda: None,
        concurrency: int = 8,
    ) -> None:
        self._channel = channel
        self._policy = policy
        self._platform_zone = platform_zone
        self._breaker = Breaker()
        self._suspended_by: str | None = None
        self._alarmed = False
        super().__init__(
            f"{channel.name}-sender",
            database=database,
            crash_points="notifier",
            recover_every=policy.recover_every,
            concurrency=concurrency,
            published=published,
        )

    async def close(self) -> None:
        """Give up the channel's connections."""
        await self._channel.close()

    async def run(self, stop: asyncio.Event) -> None:
        """As every ledger's; a heartbeat keeps what is under way from being taken for a crash."""
        metrics.begin(self._channel.name)
        depends(self._channel.name)
        heartbeat = asyncio.create_task(self._beat(), name=f"{self.name}:heartbeat")
        try:
            await super().run(stop)
        finally:
            heartbeat.cancel()

    async def _beat(self) -> None:
        """Says of what is under way that it is, so that nobody takes a slow provider for a crash of ours."""
        while True:
            await asyncio.sleep(self._policy.lease / 3)
            if not self._under_way:
                continue
            try:
                async with self._database.autocommit() as conn:
                    await still_sending(conn, list(self._under_way), self._policy)
            except (DatabaseDownError, psycopg.Error) as error:
                # The next beat may succeed; a missing one costs certainty, not mail.
                _logger.warning("heartbeat_failed", channel=self._channel.name, error=type(error).__name__)
            except Exception:
                _logger.exception("heartbeat_failed", channel=self._channel.name)

    async def _send_next(self, stop: asyncio.Event) -> bool:
        """As every ledger's; waits too while the provider is left alone, or asked by one message."""
        if (seconds := self._breaker.wait_seconds()) > 0:
            await pause(min(seconds, IDLE_SECONDS), stop)
            self._moved_at = time.monotonic()
            return True
        if self._breaker.is_half_open and self._under_way:
            await asyncio.wait(list(self._under_way.values()), timeout=IDLE_SECONDS)
            return True
        return await super()._send_next(stop)

    async def _claim(self) -> Attempt | Settled | None:
        async with self._database.transaction() as conn:
            claimed = await claim_next(conn, self._channel, self._policy, self._platform_zone)
        match claimed:
            case Settled(state="pending"):
                pass  # it waits on, and is looked at again every few seconds: nothing to tell
            case Settled():
                self._count(claimed.template, claimed.state)
                self._published()
                self._log("message_settled", claimed, state=claimed.state, reason=claimed.reason)
            case Attempt(is_timer=True, number=1):  # a later try tells of a provider, not of the timer
                metrics.LATENESS.labels(claimed.template).observe(max(claimed.lateness, 0.0))
            case _:
                pass
        return claimed

    async def _send(self, attempt: Attempt) -> Outcome:
        # The channel keeps its own deadline; this one is for a channel that fails to (F81).
        async with asyncio.timeout(self._policy.send_timeout * 1.5):
            with linked_span(
                f"send {self._channel.name}",
                traceparent=attempt.traceparent,
                kind=SpanKind.CLIENT,
                attributes={"notification.id": str(attempt.id), "notification.attempt": attempt.number},
            ):
                return await self._channel.send(attempt.prepared)

    def _of_error(self, code: str) -> Outcome:
        return Unknown(code)

    def _took(self, seconds: float) -> None:
        metrics.SEND_SECONDS.labels(self._channel.name).observe(seconds)
        saw(self._channel.name, seconds=seconds)

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        left_alone = self._judge_provider(outcome)
        await self._pace(attempt, outcome)
        state = await self._written(lambda conn: record_outcome(conn, attempt, outcome, self._policy, pause=left_alone))
        self._count(attempt.template, state)
        code = getattr(outcome, "code", None)
        self._log("message_attempted", attempt, attempt=attempt.number, state=state, code=code)

    def _log(self, what: str, of: Attempt | Settled, **more: Any) -> None:
        """A line of what happened to a message, in the trace that asked for it."""
        message = {"channel": self._channel.name, "notification_id": str(of.id), "template": of.template}
        _logger.info(what, **message, **more, **traced(of.traceparent))

    async def _pace(self, attempt: Attempt, outcome: Outcome) -> None:
        """Before the record, while the row still keeps its recipient's other messages back; a failure only quickens."""
        recipient, name = attempt.recipient_id, self._channel.name
        with suppress(DatabaseDownError, psycopg.Error):
            match outcome:
                case Accepted() | Unknown() if self._policy.pace > 0:
                    async with self._database.transaction() as conn:
                        await pace_after_message(conn, recipient, name, self._policy)
                case Later(_, retry_after):
                    seconds = max(min(self._policy.backoff(attempt.number, attempt.age), 60.0), retry_after or 0.0)
                    async with self._database.transaction() as conn:
                        await pause_after_refusal(conn, recipient, name, seconds=seconds)
                case _:
                    pass

    def _judge_provider(self, outcome: Outcome) -> float:
        """Open or close the breaker; the seconds for which the whole provider is left alone."""
        pause = 0.0
        match outcome:
            case ProviderDown():
                saw(self._channel.name, up=False)
                pause = self._breaker.failed(outcome.retry_after)
            case Unknown():
                self._breaker.doubted()
            case _:
                saw(self._channel.name, up=True)
                self._breaker.answered()
        if isinstance(outcome, ProviderDown) and outcome.alarm:
            self._alarmed = True
            _logger.error("provider_refuses_us", channel=self._channel.name, code=outcome.code)
        elif isinstance(outcome, Accepted):
            self._alarmed = False
        self._show_provider()
        return pause

    def _show_provider(self) -> None:
        suspended = self._suspended_by is not None
        metrics.PROVIDER_DOWN.labels(self._channel.name).set(self._breaker.is_half_open or suspended)
        metrics.NEEDS_A_PERSON.labels(self._channel.name).set(self._alarmed or suspended)

    async def _recover(self, conn: psycopg.AsyncConnection[Any], alive: list[UUID]) -> int:
        return await recover(conn, self._channel.name, alive, self._policy)

    async def _watch(self, conn: psycopg.AsyncConnection[Any]) -> int:
        due = await metrics.watch(conn, self._channel.name)
        code = await suspended_by(conn, self._channel.name)
        if code is not None and code != self._suspended_by:
            _logger.error("provider_refuses_us", channel=self._channel.name, code=code)
        if code is not None or self._suspended_by is not None:
            self._suspended_by = code
            self._show_provider()
        if self._suspended_by is not None:
            self._moved_at = time.monotonic()
        return due

    def _count(self, template: str, state: str) -> None:
        metrics.OUTCOMES.labels(self._channel.name, template, state).inc()
