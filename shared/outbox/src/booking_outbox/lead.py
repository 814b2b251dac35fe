"""Who may publish: the holder of a session advisory lock, on the one connection that also reads and deletes the marks.

Whoever loses the lock has lost the connection too, so a relay that was overtaken can't delete a mark. It could still
send what it has in hand; that gives duplicates, which consumers drop by version (no fencing).
"""

import asyncio
import time
from typing import Any, Self

import psycopg

from booking_outbox.errors import LeadLost
from booking_outbox.session import (
    IDLE_SESSION_SECONDS,
    STATEMENT_TIMEOUT,
    Connection,
    connect_leader,
    lock_key,
)

_HEARTBEAT_SECONDS = 5.0
_RELEASE_SECONDS = 2.0  # a stop has no time for a server that is silent
# Somebody who waits for the lock (republish) asks the leader to step down; standbys only try it, they never wait for
# it.
_CONTESTED = (
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1 AND "
    "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND "
    "classid = (($1::bigint >> 32) & 4294967295)::oid AND objid = ($1::bigint & 4294967295)::oid)"
)


class Lead:
    """A session that may hold the leader's lock."""

    def __init__(self, conn: Connection, key: int) -> None:
        self.conn = conn
        self._key = key
        self._heard = time.monotonic()
        self._lost: Exception | None = None

    @classmethod
    async def open(cls, url: str, lock_name: str, *, by_index: bool = False) -> Self:
        """A session without the lock yet; ``by_index`` keeps its plans to indexes, for a relay's reading of marks."""
        return cls(await connect_leader(url, by_index=by_index), lock_key(lock_name))

    async def try_lock(self) -> bool:
        """Take the lock if nobody has it."""
        return bool(await self._ask("SELECT pg_try_advisory_lock($1::bigint)"))

    async def wait_lock(self, seconds: float) -> bool:
        """Queue for the lock, which a leader takes as the request to step down; False when it was not given in time."""
        limits = "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)"
        await self.conn.execute(limits, [f"{round(seconds * 1000)}ms", "0"])
        usual, self.conn.answer_within = self.conn.answer_within, seconds + self.conn.answer_within
        try:
            await self._ask("SELECT pg_advisory_lock($1::bigint)")
        except psycopg.errors.LockNotAvailable:
            return False
        finally:
            self.conn.answer_within = usual
            await self.conn.execute(limits, ["0", STATEMENT_TIMEOUT])
        return True

    async def contested(self) -> bool:
        """Whether somebody queues for the lock. Also the heartbeat that keeps the session from being idle."""
        return bool(await self._ask(_CONTESTED))

    async def keep(self) -> None:
        """Heartbeats, whatever else goes on, until cancelled or the session is lost."""
        try:
            while True:
                due = self._heard + _HEARTBEAT_SECONDS - time.monotonic()
                if due > 0:
                    await asyncio.sleep(due)
                else:
                    await self.contested()
        except (psycopg.Error, OSError) as error:
            self._lost = error

    def heard(self) -> None:
        """The session answered just now."""
        self._heard = time.monotonic()

    def check(self) -> None:
        """LeadLost when the session has been silent for so long that PostgreSQL may have given the lock to another.

        Called before each send and by each turn of the loop: a process that was frozen past the takeover stops here
        with what it had in hand. Once lost it stays lost, also when the session answers again: a batch was given up.
        """
        if self._lost is None and time.monotonic() - self._heard > IDLE_SESSION_SECONDS - 1:
            self._lost = TimeoutError(f"silent for over {IDLE_SESSION_SECONDS - 1} s")
        if self._lost is not None:
            raise LeadLost(f"the leader's session is gone: {self._lost}")

    async def release(self) -> None:
        """Give the lock back and close; closing alone would do, but the lock would be held until PostgreSQL notices."""
        self.conn.answer_within = _RELEASE_SECONDS
        try:
            await self._ask("SELECT pg_advisory_unlock_all()::text")
        except psycopg.Error:
            pass
        finally:
            await self.conn.close()

    async def _ask(self, query: str) -> Any:
        cursor = psycopg.AsyncRawCursor(self.conn)
        await cursor.execute(query.encode(), [self._key] if "$1" in query else [])
        row = await cursor.fetchone()
        self.heard()
        return row[0] if row else None
