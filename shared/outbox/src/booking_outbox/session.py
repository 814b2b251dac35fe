"""Connections of the relay's own: direct, autocommit, and quick to notice a dead peer."""

import hashlib
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

IDLE_SESSION_SECONDS = 15
STATEMENT_TIMEOUT = "30s"

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


async def connect(url: str, name: str, settings: dict[str, str] | None = None) -> psycopg.AsyncConnection[Any]:
    """An autocommit connection that pg_stat_activity shows as ``name``."""
    options = conninfo_to_dict(url).get("options") or ""
    more = " ".join(f"-c {key}={value}" for key, value in (settings or {}).items())
    return await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        application_name=name,
        options=f"{options} {more}".strip(),
        prepare_threshold=0,
        **_TCP,
    )


async def connect_leader(url: str, *, by_index: bool) -> psycopg.AsyncConnection[Any]:
    """The session for the leader's lock, its reads and its deletions."""
    conn = await connect(url, "relay", {**_LEADER, **(_BY_INDEX if by_index else {})})
    # libpq's receive buffer grows to the largest message and never shrinks. At its 16 KiB a window of events would take
    # hundreds of turns of the event loop; that was a third of the relay's time.
    await conn.execute("SELECT repeat('x', 4000000)")
    return conn


def lock_key(name: str) -> int:
    """The advisory lock of this name: 64 bits, signed as PostgreSQL has them."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
