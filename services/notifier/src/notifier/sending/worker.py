"""The sender of one channel: claims one due message after the other and lets several be under way at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import structlog
from opentelemetry.trace import SpanKind

from booking_outbox import Progress, crash_point
from booking_process.database import Database, DatabaseDownError
from booking_process.telemetry import linked_span
from notifier.sending import metrics
from notifier.sending.breaker import Breaker, suspended_by
from notifier.sending.channel import Accepted, Channel, Later, Outcome, ProviderDown, Unknown
from notifier.sending.claim import Attempt, Settled, claim_next
from notifier.sending.pacing import RetryPolicy, pace_after_message, pause_after_refusal
from notifier.sending.record import record_outcome, recover, still_sending

_logger = structlog.get_logger("notifier.sending")
_IDLE_SECONDS = 1.0
_DATABASE_PAUSE = 1.0


class Sender:
    """Sends what is due on one channel. Any number of these, in any number of processes, share the work.

    Promise: an attempt is committed as `sending` before it leaves, its outcome is committed after; an attempt whose end
    nobody recorded becomes `ambiguous` and is tried once more. Nothing that a message, a recipient or a provider does
    ends the loop.
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
        self.name = f"{channel.name}-sender"
        self._channel = channel
        self._database = database
        self._policy = policy
        self._platform_zone = platform_zone
        self._published = published
        self._free = asyncio.Semaphore(concurrency)
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._breaker = Breaker()
        self._moved_at = time.monotonic()
        self._recovered_at = -policy.recover_every
        self._due = 0
        self._waiting_for: str | None = None
        self._suspended_by: str | None = None
        self._alarmed = False

    def wake(self) -> None:
        """Something may have become due. Cheap, never waits."""
        self._woken.set()

    def progress(self) -> Progress:
        """Due messages, and when one was last taken up or none was due."""
        return Progress(self._due, self._moved_at, self._waiting_for)

    async def close(self) -> None:
        """Give up the channel's connections."""
        await self._channel.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; then what is under way may end. What does not end in time is ambiguous for the next worker."""
        heartbeat = asyncio.create_task(self._beat(), name=f"{self.name}:heartbeat")
        try:
            await self._work(stop)
            while self._under_way:
                await asyncio.wait(list(self._under_way.values()))
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

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._housekeep()
                idle = not await self._send_next(stop)
                self._waiting_for = None
            except DatabaseDownError:
                self._waiting_for = "postgres"
                await _sleep(_DATABASE_PAUSE, stop)
                continue
            except Exception:
                # A bug met by one message must not end all sending; the pause keeps it from spinning (F45).
                _logger.exception("sending_step_failed", channel=self._channel.name)
                await _sleep(_DATABASE_PAUSE, stop)
                continue
            if idle:
                await self._idle(stop)

    async def _send_next(self, stop: asyncio.Event) -> bool:
        """Take up one message; False when none is due. Waits while the provider is left alone or all are busy."""
        if (pause := self._breaker.wait_seconds()) > 0:
            await _sleep(min(pause, _IDLE_SECONDS), stop)
            self._moved_at = time.monotonic()
            return True
        if self._breaker.is_half_open and self._under_way:
            await asyncio.wait(list(self._under_way.values()), timeout=_IDLE_SECONDS)
            return True
        # Room is made before the message is claimed: a claimed one that waited for room would outlive its lease.
        await self._free.acquire()
        claimed = None
        try:
            claimed = await self._claim()
        finally:
            if not isinstance(claimed, Attempt):
                self._free.release()
        if isinstance(claimed, Attempt):
            self._begin(claimed)
        return claimed is not None

    async def _claim(self) -> Attempt | Settled | None:
        async with self._database.transaction() as conn:
            claimed = await claim_next(conn, self._channel, self._policy, self._platform_zone)
        self._moved_at = time.monotonic()
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

    def _begin(self, attempt: Attempt) -> None:
        task = asyncio.create_task(self._attempt(attempt), name=f"{self.name}:{attempt.id}")
        self._under_way[attempt.id] = task
        task.add_done_callback(lambda _: self._under_way.pop(attempt.id, None))

    async def _attempt(self, attempt: Attempt) -> None:
        try:
            crash_point("notifier.before_send")
            started = time.monotonic()
            outcome = await self._send(attempt)
            metrics.SEND_SECONDS.labels(self._channel.name).observe(time.monotonic() - started)
            crash_point("notifier.after_send")
            await self._record(attempt, outcome)
        except Exception:
            # Without a record the attempt's lease runs out and a recovery calls it ambiguous.
            _logger.exception("attempt_without_record", channel=self._channel.name, notification_id=str(attempt.id))
        finally:
            self._free.release()
            self._woken.set()

    async def _send(self, attempt: Attempt) -> Outcome:
        try:
            # The channel keeps its own deadline; this one is for a channel that fails to (F81).
            async with asyncio.timeout(self._policy.send_timeout * 1.5):
                with linked_span(
                    f"send {self._channel.name}",
                    traceparent=attempt.traceparent,
                    kind=SpanKind.CLIENT,
                    attributes={"notification.id": str(attempt.id), "notification.attempt": attempt.number},
                ):
                    return await self._channel.send(attempt.prepared)
        except Exception as error:  # whatever it was, the message may have left
            _logger.exception("channel_failed", channel=self._channel.name, notification_id=str(attempt.id))
            return Unknown(f"internal_{type(error).__name__}")

    async def _record(self, attempt: Attempt, outcome: Outcome) -> None:
        pause = self._judge_provider(outcome)
        await self._pace(attempt, outcome)
        while True:
            try:
                async with self._database.transaction() as conn:
                    state = await record_outcome(conn, attempt, outcome, self._policy, pause=pause)
                break
            except (DatabaseDownError, psycopg.Error) as error:
                # The outcome is known here alone: keep it until the database takes it, or until we are killed.
                _logger.warning("record_delayed", channel=self._channel.name, error=type(error).__name__)
                await asyncio.sleep(_DATABASE_PAUSE)
        self._published()
        self._count(attempt.template, state)
        code = getattr(outcome, "code", None)
        self._log("message_attempted", attempt, attempt=attempt.number, state=state, code=code)

    def _log(self, what: str, of: Attempt | Settled, **more: Any) -> None:
        """A line of what happened to a message, in the trace that asked for it."""
        trace = {"trace_id": of.traceparent[3:35]} if of.traceparent else {}
        message = {"channel": self._channel.name, "notification_id": str(of.id), "template": of.template}
        _logger.info(what, **message, **more, **trace)

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
                pause = self._breaker.failed(outcome.retry_after)
            case Unknown():
                self._breaker.doubted()
            case _:
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

    async def _housekeep(self) -> None:
        if time.monotonic() - self._recovered_at < self._policy.recover_every:
            return
        self._recovered_at = time.monotonic()
        async with self._database.transaction() as conn:
            recovered = await recover(conn, self._channel.name, list(self._under_way), self._policy)
        if recovered:
            self._published()
            _logger.warning("attempts_without_end", channel=self._channel.name, count=recovered)
        async with self._database.autocommit() as conn:
            self._due = await metrics.watch(conn, self._channel.name)
            code = await suspended_by(conn, self._channel.name)
        if code is not None and code != self._suspended_by:
            _logger.error("provider_refuses_us", channel=self._channel.name, code=code)
        if code is not None or self._suspended_by is not None:
            self._suspended_by = code
            self._show_provider()
        if self._due == 0 or self._suspended_by is not None:
            self._moved_at = time.monotonic()

    async def _idle(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        woken = asyncio.create_task(self._woken.wait())
        await asyncio.wait({stopped, woken}, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, woken):
            task.cancel()
        self._woken.clear()

    def _count(self, template: str, state: str) -> None:
        metrics.OUTCOMES.labels(self._channel.name, template, state).inc()


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
