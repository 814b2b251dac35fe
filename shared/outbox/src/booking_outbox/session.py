"""Connections of the relay's own: direct, autocommit, quick to notice a dead peer, and never waited for without end."""

import asyncio
import hashlib
import os
import socket
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

IDLE_SESSION_SECONDS = 15
STATEMENT_TIMEOUT = "30s"
# Over the server's own statement_timeout, which a server that lives answers with an error.
ANSWER_SECONDS = 35.0
_CONNECT_SECONDS = 10.0

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


class Connection(psycopg.AsyncConnection[Any]):
    """Every wait for the server ends within ``answer_within`` seconds, by an answer or by psycopg.OperationalError.

    TCP notices a peer that is gone; it does not notice one that acknowledges and never answers (a middlebox, a stopped
    server): keepalives and statement_timeout are of no use then. So the socket is shut from this side (F3, F10).
    """

    answer_within = ANSWER_SECONDS

    async def wait(self, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """psycopg's only way to wait for an answer, whatever was asked."""
        silent = asyncio.get_running_loop().call_later(self.answer_within, self.shut)
        try:
            return await super().wait(*args, **kwargs)
        finally:
            silent.cancel()

    def shut(self) -> None:
        """End whatever waits for an answer, now. A cancelled statement would first ask the server to forget it."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)


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
