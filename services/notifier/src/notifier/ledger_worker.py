"""The worker of a ledger: claims one due row after the other and lets several be under way at once.

LedgerWorker
├── Sender          messages of one channel (sending/worker.py)
└── WebhookSender   deliveries to the endpoints that others registered (webhooks/worker.py)

A try is committed as `sending` before it leaves, and its outcome is committed after. What a try means whose end nobody
recorded, its ledger says.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import psycopg
import structlog

from booking_outbox import Progress, crash_point
from booking_process.database import Database, DatabaseDownError

IDLE_SECONDS = 1.0
"""How often the ledger is looked at when nobody wakes the worker."""
_DATABASE_PAUSE = 1.0
_logger = structlog.get_logger("notifier")


class Try(Protocol):
    """A row that was claimed, committed as `sending`, to be sent now."""

    @property
    def id(self) -> UUID:
        """The row's."""
        ...


class NoTry:
    """A due row that needed none: it was settled, or put off."""


A = TypeVar("A", bound=Try)
R = TypeVar("R")
T = TypeVar("T")


class LedgerWorker(ABC, Generic[A, R]):
    """Any number of these, in any number of processes, share the work. Nothing that a row, a recipient or a provider
    does ends the loop.

    `crash_points` is the first word of its fault points; `recover_every` in seconds: two looks for tries without an
    end; `published` is called after each commit that changed what others are told.
    """

    def __init__(
        self,
        name: str,
        *,
        database: Database,
        crash_points: str,
        recover_every: float,
        concurrency: int,
        published: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._database = database
        self._crash_points = crash_points
        self._recover_every = recover_every
        self._published = published
        self._free = asyncio.Semaphore(concurrency)
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._moved_at = time.monotonic()
        self._recovered_at = -recover_every
        self._due = 0
        self._waiting_for: str | None = None

    @abstractmethod
    async def _claim(self) -> A | NoTry | None:
        """The next due row, committed as `sending` where it needs a try; None: nothing is due."""

    @abstractmethod
    async def _send(self, attempt: A) -> R:
        """One try. What it raises is an outcome like others (`_of_error`)."""

    @abstractmethod
    def _of_error(self, code: str) -> R:
        """The outcome of a try that ended by an error of ours."""

    @abstractmethod
    def _took(self, seconds: float) -> None:
        """How long a try took, for the figures."""

    @abstractmethod
    async def _record(self, attempt: A, outcome: R) -> None:
        """Write the outcome down, by `_written`."""

    @abstractmethod
    async def _recover(self, conn: psycopg.AsyncConnection[Any], alive: list[UUID]) -> int:
        """Settle tries whose worker died, never those of `alive`; how many there were."""

    @abstractmethod
    async def _watch(self, conn: psycopg.AsyncConnection[Any]) -> int:
        """Set the gauges; how many rows could leave now."""

    def wake(self) -> None:
        """Something may have become due. Cheap, never waits."""
        self._woken.set()

    def progress(self) -> Progress:
        """Due rows, and when one was last taken up or none was due."""
        return Progress(self._due, self._moved_at, self._waiting_for)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; then what is under way may end. What does not end in time has no record."""
        while not stop.is_set():
            try:
                await self._housekeep()
                idle = not await self._send_next(stop)
                self._waiting_for = None
            except DatabaseDownError:
                self._waiting_for = "postgres"
                await pause(_DATABASE_PAUSE, stop)
                continue
            except Exception:
                # A bug met by one row must not end all sending; the pause keeps it from spinning (F45).
                _logger.exception("sending_step_failed", worker=self.name)
                await pause(_DATABASE_PAUSE, stop)
                continue
            if idle:
                await self._idle(stop)
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    async def _send_next(self, stop: asyncio.Event) -> bool:
        """Take up one row; False when none is due. Waits while all places are taken."""
        del stop
        # Room is made before the row is claimed: a claimed one that waited for room would outlive its lease.
        await self._free.acquire()
        claimed = None
        try:
            claimed = await self._claim()
        finally:
            if claimed is None or isinstance(claimed, NoTry):
                self._free.release()
        self._moved_at = time.monotonic()
        if claimed is not None and not isinstance(claimed, NoTry):
            self._begin(claimed)
        return claimed is not None

    def _begin(self, attempt: A) -> None:
        task = asyncio.create_task(self._attempt(attempt), name=f"{self.name}:{attempt.id}")
        self._under_way[attempt.id] = task
        task.add_done_callback(lambda _: self._under_way.pop(attempt.id, None))

    async def _attempt(self, attempt: A) -> None:
        try:
            crash_point(f"{self._crash_points}.before_send")
            started = time.monotonic()
            outcome = await self._sent(attempt)
            self._took(time.monotonic() - started)
            crash_point(f"{self._crash_points}.after_send")
            await self._record(attempt, outcome)
        except Exception:
            # Without a record the try's lease runs out and a recovery finds it.
            _logger.exception("attempt_without_record", worker=self.name, id=str(attempt.id))
        finally:
            self._free.release()
            self._woken.set()

    async def _sent(self, attempt: A) -> R:
        try:
            return await self._send(attempt)
        except Exception as error:  # whatever it was, it may have left
            _logger.exception("attempt_failed", worker=self.name, id=str(attempt.id))
            return self._of_error(f"internal_{type(error).__name__}")

    async def _written(self, write: Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]) -> T:
        """What the record said, once it is committed."""
        while True:
            try:
                async with self._database.transaction() as conn:
                    said = await write(conn)
                break
            except (DatabaseDownError, psycopg.Error) as error:
                # The outcome is known here alone: keep it until the database takes it, or until we are killed.
                _logger.warning("record_delayed", worker=self.name, error=type(error).__name__)
                await asyncio.sleep(_DATABASE_PAUSE)
        self._published()
        return said

    async def _housekeep(self) -> None:
        if time.monotonic() - self._recovered_at < self._recover_every:
            return
        self._recovered_at = time.monotonic()
        async with self._database.transaction() as conn:
            recovered = await self._recover(conn, list(self._under_way))
        if recovered:
            self._published()
            _logger.warning("attempts_without_end", worker=self.name, count=recovered)
        async with self._database.autocommit() as conn:
            self._due = await self._watch(conn)
        if self._due == 0:
            self._moved_at = time.monotonic()

    async def _idle(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        woken = asyncio.create_task(self._woken.wait())
        await asyncio.wait({stopped, woken}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, woken):
            task.cancel()
        self._woken.clear()


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """So long, or until the stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def traced(traceparent: str | None) -> dict[str, str]:
    """For a line of the log: the trace that asked for what it tells of."""
    return {"trace_id": traceparent[3:35]} if traceparent else {}
