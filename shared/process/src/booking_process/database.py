"""PostgreSQL for a service: a pool of psycopg's connections, and an end to every wait.

Connections are in autocommit: a command's statement is one round trip (architecture.md). A lost, refused or silent
database becomes DatabaseDownError, a 503 with Retry-After at the edge; nothing here retries, since a lost COMMIT is
ambiguous.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Column, ColumnElement, Select, bindparam, literal_column
from sqlalchemy.dialects.postgresql import psycopg as postgresql_psycopg

from booking_postgres import Connection, Pool, PoolExhaustedError
from booking_process.settings import ServiceSettings

__all__ = [
    "Database",
    "DatabaseDownError",
    "Deadline",
    "Filtered",
    "UnsafeDatabaseError",
    "request_deadline",
    "session_settings",
]

Row = TypeVar("Row")

_NEVER = float("inf")
_PREPARE_AFTER = 5
"""Times that psycopg runs a statement before it prepares it (its own default)."""
# SQLSTATE classes: connection lost, out of resources, canceled or shut down, system error; a lock not got; a standby.
_REFUSED = ("08", "53", "57", "58", "55P03", "25006")

# A connection's failure has no SQLSTATE in libpq, only words.
_NO_ENTRY = re.compile(
    r"authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|role .* does not exist|database .* does not exist"
    r"|not permitted to log in|permission denied for database|does not support SSL|certificate|no password supplied"
    r"|invalid .* value:|authentication method requirement",
    re.IGNORECASE,
)

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_DURABILITY = "SELECT name, setting, source FROM pg_settings WHERE name = ANY(%s) ORDER BY name"
_SET_BY = {
    "user": "by ALTER ROLE",
    "database": "by ALTER DATABASE",
    "database user": "by ALTER ROLE IN DATABASE",
    "configuration file": "in postgresql.conf",
    "command line": "on the server's command line",
}


class Deadline:
    """When (in loop time) the request in hand must have its answer; moved to never once the answer has begun."""

    __slots__ = ("at", "waited")

    def __init__(self, at: float = _NEVER) -> None:
        self.at = at
        self.waited = 0.0
        """Seconds of the request that were spent waiting because its caller asked for that."""

    def put_off(self, seconds: float) -> None:
        """So long was waited as the caller asked: it is neither the database's time nor the service's slowness."""
        self.at += seconds
        self.waited += seconds


_NONE = Deadline()

request_deadline: ContextVar[Deadline] = ContextVar("request_deadline", default=_NONE)
"""Set by the edge for each request; outside of requests there is none."""


class DatabaseDownError(Exception):
    """The database is away, refuses, has no connection left or stays silent. What was sent may have been done."""

    def __init__(self, why: str = "unreachable", *, reason: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.reason = reason
        """PostgreSQL's or the network's own words, for logs; empty when a connection was lost later on."""

    @property
    def refuses_us(self) -> bool:
        """Whether it answers and lets us in by no means as long as the settings are these."""
        return _NO_ENTRY.search(self.reason) is not None


class UnsafeDatabaseError(Exception):
    """PostgreSQL would acknowledge what it can lose (K37)."""


class Database:
    """The connections of one process to its one database.

    `autocommit()` and `transaction()` hand out psycopg connections; lists in SQLAlchemy Core are `Filtered`.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout: float = 3.0,
        statement_timeout: float = 10.0,
        transaction_deadline: float = 120.0,
        application_name: str = "booking",
        direct_url: str | None = None,
    ) -> None:
        self.url = str(url)
        self.direct_url = str(direct_url or url)
        """Where a session is one's own, for whoever listens or locks."""
        self._session = session_settings(statement_timeout)
        self._pooled = self.direct_url != self.url
        self._pool_timeout = pool_timeout
        self._statement_timeout = statement_timeout
        self._transaction_deadline = transaction_deadline
        self._arguments = _connect_args(str(url), application_name, None if self._pooled else self._session)
        self.pool = Pool(self._connect, size=pool_size)
        """What /metrics tells of."""

    @classmethod
    def of(cls, settings: ServiceSettings, name: str, *, direct: bool = False) -> "Database":
        """A service's database, as its settings say; `name` is what PostgreSQL shows of its connections. `direct`: past
        a pooler, for a job that locks by its session."""
        return cls(
            settings.direct_url if direct else settings.database_url,
            direct_url=None if direct else settings.database_direct_url,
            pool_size=settings.database_pool_size,
            pool_timeout=settings.database_pool_timeout_seconds,
            statement_timeout=settings.database_statement_timeout_seconds,
            application_name=name,
        )

    def autocommit(self, *, deadline: float | None = None) -> "_Taken":
        """`async with`: a connection whose every statement commits by itself. `deadline`: in seconds."""
        return _Taken(self, deadline or self._statement_timeout + 2)

    @asynccontextmanager
    async def transaction(self, *, deadline: float | None = None) -> AsyncGenerator[psycopg.AsyncConnection]:
        """A connection within BEGIN and COMMIT; an exception rolls back. `deadline`: seconds for the whole of it."""
        async with _Taken(self, deadline or self._transaction_deadline) as connection, connection.transaction():
            yield connection

    async def ping(self, *, deadline: float = 2.0) -> None:
        """DatabaseDownError unless the database answers within `deadline` seconds."""
        async with self.autocommit(deadline=deadline) as connection:
            await connection.execute("SELECT 1")

    async def assert_durable(self) -> None:
        """UnsafeDatabaseError unless an acknowledged commit survives a crash (K37).

        Asked as the run-time role itself: `synchronous_commit` may be off for a role or a database alone.
        """
        async with self.autocommit() as connection:
            await self._assert_session(connection)
            rows = await connection.execute(_DURABILITY, [list(_DURABLE)])
            off = [
                f"{name}={setting} ({_SET_BY.get(source, source)})"
                for name, setting, source in await rows.fetchall()
                if setting not in {"on", "remote_apply"}
            ]
        if off:
            raise UnsafeDatabaseError(
                f"PostgreSQL runs with {', '.join(off)}: acknowledged commits could get lost. Set it to on where it "
                "is set, then start again."
            )

    async def assert_session(self) -> None:
        """UnsafeDatabaseError unless a pooler's connections have the settings that ours give themselves."""
        async with self.autocommit() as connection:
            await self._assert_session(connection)

    async def _assert_session(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if not self._pooled:
            return
        asked = "SELECT lower(name), setting, current_user::text FROM pg_settings WHERE lower(name) = ANY(%s)"
        rows = await (await connection.execute(asked, [list(self._session)])).fetchall()
        wrong = [
            f"ALTER ROLE {role} SET {name} = '{self._session[name]}'"
            for name, setting, role in sorted(rows)
            if setting != self._session[name]
        ]
        if wrong:
            raise UnsafeDatabaseError(
                "DATABASE_URL is a pooler's (DATABASE_DIRECT_URL is another), which takes no settings of a session: "
                f"they are the role's. Run as somebody who may, then have the pooler connect anew: {'; '.join(wrong)};"
            )

    async def close(self) -> None:
        """Closes what is idle; connections in use close when given back."""
        self.pool.close()

    async def take(self) -> Connection:
        """A connection of the pool, for `_Taken`. Raises DatabaseDownError."""
        left = request_deadline.get().at - asyncio.get_running_loop().time()
        try:
            return await self.pool.take(min(self._pool_timeout, left))
        except PoolExhaustedError:
            raise DatabaseDownError("pool exhausted") from None
        except (psycopg.Error, OSError) as error:
            raise DatabaseDownError("unreachable", reason=_told(error)) from error

    async def _connect(self) -> Connection:
        # A pooler hands each transaction to another session, which knows none of our statements by name.
        threshold = None if self._pooled else _PREPARE_AFTER
        return await Connection.connect(autocommit=True, prepare_threshold=threshold, **self._arguments)


class _Taken:
    """`async with`: a connection of the pool, until its deadline. A class: a generator takes three times as long."""

    __slots__ = ("_connection", "_database", "_seconds", "_silent")

    def __init__(self, database: Database, seconds: float) -> None:
        self._database, self._seconds = database, seconds

    async def __aenter__(self) -> psycopg.AsyncConnection:
        self._connection = connection = await self._database.take()
        loop = asyncio.get_running_loop()
        # The server may be stopped or cut off and answer nothing, not even a cancel request: psycopg would wait another
        # ten seconds for it (K31). Shutting the socket ends the wait at once, and the error says so.
        self._silent = loop.call_at(min(loop.time() + self._seconds, request_deadline.get().at), connection.cut)
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        connection = self._connection
        self._silent.cancel()
        down = isinstance(error, psycopg.Error) and (connection.closed or (error.sqlstate or "").startswith(_REFUSED))
        # Who is interrupted within a statement must not hand its rest to the next one.
        if down or isinstance(error, asyncio.CancelledError):
            connection.discard()
        self._database.pool.give_back(connection)
        if down:
            assert isinstance(error, psycopg.Error)
            raise DatabaseDownError(error.sqlstate or "lost") from error


class Filtered:
    """A list with optional filters, in SQLAlchemy Core: `Filtered(select(...), status=table.c.status, below=...)`.

    A filter is a column, which must then be equal to the value of the filter's name, or a condition with a `bindparam`
    of that name. Only the conditions that were chosen stand in the text: `(x IS NULL OR column = x)` would cost every
    plan its index. So does the limit: for a parameter PostgreSQL guesses too many rows.
    """

    def __init__(self, query: Select[Any], **filters: ColumnElement[Any]) -> None:
        self._query = query
        self._filters = filters
        self._text = lru_cache(maxsize=512)(self._compiled)  # a compilation takes a tenth of a request's time

    async def fetch(
        self, cursor: psycopg.AsyncCursor[Row], *, limit: int | None = None, lock: bool = False, **chosen: Any
    ) -> list[Row]:
        """The rows; a filter whose value is None is left out. `lock`: FOR UPDATE."""
        values = {name: value for name, value in chosen.items() if value is not None}
        await cursor.execute(self._text(tuple(values), limit, lock), values)
        return await cursor.fetchall()

    def _compiled(self, chosen: tuple[str, ...], limit: int | None, lock: bool) -> bytes:
        query = self._query
        for name in chosen:
            wanted = self._filters[name]
            query = query.where(wanted == bindparam(name) if isinstance(wanted, Column) else wanted)
        if limit is not None:
            query = query.limit(literal_column(str(int(limit))))
        if lock:
            query = query.with_for_update()
        return str(query.compile(dialect=_DIALECT)).encode()


_DIALECT = postgresql_psycopg.dialect()


def _told(error: BaseException) -> str:
    """Why no connection came: the addresses tried and what each said, without a password (libpq never shows it)."""
    return " ".join(str(error).split()) or type(error).__name__


def session_settings(statement_timeout: float) -> dict[str, str]:
    """What a session of ours has set, as pg_settings shows it; `statement_timeout` in seconds."""
    return {
        "statement_timeout": str(int(statement_timeout * 1000)),
        "lock_timeout": "5000",
        # A process stopped in mid-transaction keeps its row locks; who took over its partitions waits so long (F14).
        "idle_in_transaction_session_timeout": "15000",
        "timezone": "UTC",
        "jit": "off",
        # A prepared statement keeps the plan that it got: on the empty tables of a fresh deployment that would be to
        # read them whole, for hours, while they grow. Everything that a request asks has its index.
        "enable_seqscan": "off",
    }


def _connect_args(url: str, application_name: str, session: dict[str, str] | None) -> dict[str, Any]:
    """`session` is None where a pooler refuses settings in the start-up packet."""
    given = conninfo_to_dict(url)  # libpq's own reading: several hosts, sslmode, target_session_attrs
    options = " ".join(f"-c {name}={value}" for name, value in (session or {}).items())
    options = f"{given.pop('options', None) or ''} {options}".strip()
    return {
        **given,
        **({"options": options} if options else {}),
        "application_name": application_name,
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15000,
    }
