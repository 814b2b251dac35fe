"""Timers without a table: a partial index on the read row finds what is due, an ordinary command acts.

Any number of copies may run: the stream's expected version lets one of them win, and the others find it done. A look
goes through all that is due, a batch after another: sessions that fail again and again keep nobody else waiting.
A timer fires when it is due or late, never only at its minute. What is due, the database's clock says: a process whose
own clock is ahead fails nobody's request early (F60).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError
from booking_store import Busy, Cause, CommandContext, Refused, handle
from consultation.dependencies import Clock
from consultation.sessions.commands import Fail, Start
from consultation.sessions.store import SESSION, TIMER_LATENESS, Draft, by_system

log = logging.getLogger(__name__)

DUE_FOR_TIME_OUT: LiteralString = """
SELECT id, respond_by FROM feedback_session WHERE status = 'pending_negotiation' AND respond_by <= %(now)s
AND (respond_by, id) > (%(after)s, %(id)s) ORDER BY respond_by, id LIMIT %(limit)s
"""
DUE_TO_START: LiteralString = """
SELECT id, starts_at FROM feedback_session WHERE auto_start AND status = 'scheduled' AND starts_at <= %(now)s
AND (starts_at, id) > (%(after)s, %(id)s) ORDER BY starts_at, id LIMIT %(limit)s
"""
BATCH = 100
_AFTER_A_FAILURE = 2.0
_EVER = datetime(1, 1, 2, tzinfo=UTC)


class Timer:
    """A worker that gives one command to every session whose time has come."""

    def __init__(
        self,
        name: str,
        due: LiteralString,
        draft: Draft,
        *,
        database: Database,
        clock: Clock | None = None,
        poll_seconds: float,
        after_commit: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._due: LiteralString = due
        self._draft = draft
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._after_commit = after_commit
        TIMER_LATENESS.labels(name)  # at 0 before the first, so that `rate` sees it
        self._backlog = 0
        self._moved_at = time.monotonic()
        self._waiting_for: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Act until `stop`; a lost database only delays."""
        while not stop.is_set():
            try:
                await self.tick(stop)
                pause, self._waiting_for = self._poll_seconds, None
            except DatabaseDownError:
                pause, self._waiting_for = _AFTER_A_FAILURE, "postgres"
            await _wait(stop, pause)

    async def tick(self, stop: asyncio.Event | None = None) -> int:
        """Act on all that is due now, or until `stop`; the number of sessions that it changed."""
        async with self._database.autocommit() as conn:
            now = await self._now(conn)
        changed, last = 0, (_EVER, UUID(int=0))
        while found := await self._due_after(now, *last):
            self._backlog = len(found)
            for session_id, due in found:
                if stop is not None and stop.is_set():
                    return changed
                changed += await self._act(session_id, now, due)
                self._backlog -= 1
                self._moved_at = time.monotonic()
            last = (found[-1][1], found[-1][0])
        self._backlog, self._moved_at = 0, time.monotonic()
        return changed

    async def _due_after(self, now: datetime, after: datetime, session_id: UUID) -> list[tuple[UUID, datetime]]:
        async with self._database.autocommit() as conn:
            position = {"now": now, "limit": BATCH, "after": after, "id": session_id}
            return await (await conn.execute(self._due, position)).fetchall()

    def progress(self) -> Progress:
        """What is due and not yet acted on."""
        return Progress(self._backlog, self._moved_at, self._waiting_for)

    async def _now(self, conn: psycopg.AsyncConnection[Any]) -> datetime:
        """The database's time; a test's own where it brought a clock."""
        if self._clock is not None:
            return self._clock()
        cursor = await conn.execute("SELECT now()")
        found: tuple[datetime] | None = await cursor.fetchone()
        assert found is not None
        return found[0]

    async def _act(self, session_id: UUID, now: datetime, due: datetime) -> bool:
        try:
            async with self._database.autocommit() as conn:
                context = CommandContext(Cause("system", str(uuid7())), now)
                await handle(conn, SESSION, session_id, by_system(self._draft, now), context)
        except (Refused, Busy) as error:
            # Somebody acted meanwhile. If it is still due, the next tick sees it.
            log.info("timer found the session changed", extra={"timer": self.name, "outcome": str(error)})
            return False
        except DatabaseDownError:
            raise
        except Exception:
            # One session's trouble never stops another's timer; it is tried again at every poll, and seen in the log.
            log.exception("timer failed", extra={"timer": self.name, "session_id": str(session_id)})
            return False
        TIMER_LATENESS.labels(self.name).observe((now - due).total_seconds())
        if self._after_commit is not None:
            self._after_commit()
        return True


def time_outs(
    *, database: Database, poll_seconds: float, after_commit: Callable[[], None], clock: Clock | None = None
) -> Timer:
    """R4: a request that no schedule answers by `respond_by` fails."""
    return Timer(
        "respond-by",
        DUE_FOR_TIME_OUT,
        lambda actor, at: Fail(actor, at, "practitioner_timeout"),
        database=database,
        clock=clock,
        poll_seconds=poll_seconds,
        after_commit=after_commit,
    )


def starts(
    *, database: Database, poll_seconds: float, after_commit: Callable[[], None], clock: Clock | None = None
) -> Timer:
    """A session starts at its start time where the product asks for it (`auto_start`)."""
    return Timer(
        "auto-start",
        DUE_TO_START,
        Start,
        database=database,
        clock=clock,
        poll_seconds=poll_seconds,
        after_commit=after_commit,
    )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
