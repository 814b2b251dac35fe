"""The relay's own connections (direct, autocommit, quick to notice a dead peer, never waited for without end), and who
may publish: the holder of a session advisory lock, on the one connection that also reads and deletes the marks.

Whoever loses the lock has lost the connection too, so a relay that was overtaken can't delete a mark. It could still
send what it has in hand; that gives duplicates, which consumers drop by version (no fencing).
"""

import asyncio
import hashlib
import time
from typing import Any, LiteralString, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict

import booking_postgres
from booking_outbox._errors import LeadLost

IDLE_SESSION_SECONDS = 15
STATEMENT_TIMEOUT = "30s"
# Over the server's own statement_timeout, which a server that lives answers with an error.
ANSWER_SECONDS = 35.0
_CONNECT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 5.0
_RELEASE_SECONDS = 2.0  # a stop has no time for a server that is silent

# A relay that is frozen (SIGSTOP, a starved host) loses its session, and the lock with it, after idle_session_timeout.
# synchronous_commit off: what this session writes are deletions of acknowledged marks, and losing some in a crash of
# PostgreSQL sends duplicates, no more. SQL_ASCII: text columns arrive as the bytes that are stored.
_LEADER = {
    "idle_session_timeout": f"{IDLE_SESSION_SECONDS}s",
    "synchronous_commit": "off",
    "statement_timeout": STATEMENT_TIMEOUT,
    "timezone": "UTC",
    "client_encoding": "SQL_ASCII",
}
# The planner has no statistics of a table that fills and empties within milliseconds: by default it would sort all
# marks for each window. Everything that the relay asks has its index.
_BY_INDEX = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
_TCP: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Connection(booking_postgres.Connection):
    """Every wait for the server ends within ``answer_within`` seconds, by an answer or by psycopg.OperationalError.

    TCP notices a peer that is gone; it does not notice one that acknowledges and never answers (a middlebox, a stopped
    server): keepalives and statement_timeout are of no use then. So the socket is cut from this side (F3, F10).
    """

    answer_within = ANSWER_SECONDS

    async def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """psycopg's only way to wait for an answer, whatever was asked."""
        silent = asyncio.get_running_loop().call_later(self.answer_within, self.cut)
        try:
            return await super().wait(gen, *args, **kwargs)
        finally:
            silent.cancel()


async def connect(url: str, name: str, settings: dict[str, str] | None = None) -> Connection:
    """An autocommit connection that pg_stat_activity shows as ``name``; OSError or psycopg.Error within 10 s."""
    options = conninfo_to_dict(url).get("options") or ""
    more = " ".join(f"-c {key}={value}" for key, value in (settings or {}).items())
    async with asyncio.timeout(_CONNECT_SECONDS):
        return await Connection.connect(
            url,
            autocommit=True,
            application_name=name,
            options=f"{options} {more}".strip(),
            prepare_threshold=0,
            **_TCP,
        )


async def connect_watch(url: str) -> Connection:
    """The session that counts what waits: apart from the leader's, and by indexes as that is."""
    conn = await connect(url, "relay-lag", {"statement_timeout": "8s", "timezone": "UTC", **_BY_INDEX})
    conn.answer_within = 10.0
    return conn


async def connect_leader(url: str, *, by_index: bool) -> Connection:
    """The session for the leader's lock, its reads and its deletions.

    A relay's (``by_index``) is given up when it is silent for as long as PostgreSQL lets an idle one live: nothing is
    sent any more by then (see `Lead.check`), and the term should end. Republishing may ask for more at once.
    """
    conn = await connect(url, "relay", {**_LEADER, **(_BY_INDEX if by_index else {})})
    if by_index:
        conn.answer_within = IDLE_SESSION_SECONDS - 1
    # libpq's receive buffer grows to the largest message and never shrinks. At its 16 KiB a window of events would take
    # hundreds of turns of the event loop; that was a third of the relay's time.
    await conn.execute("SELECT repeat('x', 4000000)")
    return conn


def lock_key(name: str) -> int:
    """The advisory lock of this name: 64 bits, signed as PostgreSQL has them."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


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

    async def _ask(self, query: LiteralString) -> Any:
        cursor = psycopg.AsyncRawCursor(self.conn)
        await cursor.execute(query, [self._key] if "$1" in query else [])
        row = await cursor.fetchone()
        self.heard()
        return row[0] if row else None
