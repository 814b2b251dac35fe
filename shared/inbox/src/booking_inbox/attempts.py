"""Trying a record until it has its outcome: for ever while waiting helps, a few times while it does not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import psycopg

from booking_contracts.decode import Decoded, Record
from booking_inbox import metrics
from booking_inbox.errors import Hold, PositionLost
from booking_inbox.probe import answers
from booking_inbox.reading import Poison, describe, read
from booking_inbox.retry import Backoff, is_transient
from booking_inbox.rules import Failure, Rules, Taken
from booking_inbox.tuning import Tuning
from booking_process.database import Database

log = logging.getLogger("booking.consumer")

BeforeCommit = Callable[[psycopg.AsyncConnection], Awaitable[None]]


class Attempts:
    """The tries of one consumer. `failing` while the last one failed for a reason that waiting cures."""

    def __init__(self, name: str, database: Database, rules: Rules, tuning: Tuning) -> None:
        self._name, self._database, self._rules, self._tuning = name, database, rules, tuning
        self.failing = False

    async def settle(
        self, record: Record, stopping: asyncio.Event, before_commit: BeforeCommit | None = None
    ) -> Taken | None:
        """Try until the record has its outcome; None if a stop came first.

        Lets nothing out but cancellation and PositionLost: FastStream would swallow it, and the next record's offset
        would bury this one (K6, K10).
        """
        item = read(record, sequenced=self._rules.topic(record.topic).sequenced)
        backoff = self.backoff()
        failure, attempts = None, 0
        while True:
            try:
                taken = await self._once(item, failure, before_commit)
            except PositionLost:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- SystemExit would stop the whole app (K23)
                # Once given up, only holding is left to do, and a failure of that is never the record's own.
                transient = self.note(record, error) or failure is not None
                if not transient:
                    attempts += 1
                    if isinstance(error, Hold) or attempts >= self._tuning.max_attempts:
                        failure = Failure(describe(error), attempts)
                        continue
            else:
                self.failing = False
                return taken
            if not await backoff.wait(stopping):
                return None

    def note(self, record: Record, error: BaseException) -> bool:
        """Count and log a failed try; whether waiting helps. The kind of error alone is logged: its text may quote
        contact data."""
        transient = self.failing = is_transient(error, self._rules.transient)
        kind = "transient" if transient else "failed"
        metrics.RETRIES.labels(self._name, record.topic, kind).inc()
        where = (record.topic, record.partition, record.offset)
        log.warning("consumer %s at %s[%d]@%d: %s (%s)", self._name, *where, type(error).__name__, kind)
        return transient

    def backoff(self) -> Backoff:
        """The waits between tries."""
        return Backoff(first=self._tuning.first_backoff, cap=self._tuning.backoff_cap)

    async def waiting_for(self) -> str | None:
        """ "postgres" while tries fail and it does not answer.

        A pool that broke for good must not pass for a database that is down (K30, F31), so it is asked beside the pool.
        """
        if self.failing and not await answers(self._database.engine.url.render_as_string(hide_password=False)):
            return "postgres"
        return None

    async def _once(self, item: Decoded | Poison, failure: Failure | None, before_commit: BeforeCommit | None) -> Taken:
        async with asyncio.timeout(self._tuning.apply_deadline), self._database.transaction() as conn:
            if failure is not None and not isinstance(item, Poison):
                taken = await self._rules.give_up(conn, item, failure)
            else:
                taken = await self._rules.take(conn, item)
            if before_commit is not None:
                await before_commit(conn)
        return taken
