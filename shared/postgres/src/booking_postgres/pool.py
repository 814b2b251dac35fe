"""A pool of connections: the last one given back goes out first, who waits longest is served first.

Whoever takes one has a place until it is given back; there are as many places as ``size``. A place whose connection was
lost is handed on empty: the next one connects for himself and hears himself why that fails, at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg.pq import TransactionStatus

from booking_postgres.connection import Connection

_IDLE_BEFORE_PING = 30.0
_PING_SECONDS = 2.0


class PoolExhaustedError(Exception):
    """No connection was given back in time."""


class Pool:
    """At most ``size`` connections, each made by ``connect`` when it is needed. One event loop at a time."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, size: int) -> None:
        self.size = size
        self._connect = connect
        self._open = 0
        self._idle: list[tuple[Connection, float]] = []  # since when, by time.monotonic()
        # Nobody waits while one is idle or a place free.
        self._turns: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many are taken, or being made for who takes them."""
        return self._open - len(self._idle)

    @property
    def idle(self) -> int:
        """How many lie ready."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many callers wait for one."""
        return len(self._turns)

    async def take(self, seconds: float) -> Connection:
        """A connection that answers, idle and outside of any transaction; it must be given back.

        Raises PoolExhaustedError when none came within ``seconds``, and what ``connect`` raises, at once. Who is
        cancelled holds nothing.
        """
        while True:
            if self._idle:
                connection, since = self._idle.pop()
            elif self._open < self.size:
                self._open += 1
                return await self._made()
            else:
                connection, since = await self._turn(seconds), time.monotonic()
                if connection is None:
                    return await self._made()
            try:
                if await _works(connection, since):
                    return connection
            except BaseException:
                self._lose(connection)
                raise
            if not self._idle:
                connection.discard()
                return await self._made()  # in the same place
            self._lose(connection)

    def give_back(self, connection: Connection) -> None:
        """Back to the pool, or closed if it can't be handed on: lost, or within a statement or a transaction."""
        if self._closed or connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            self._lose(connection)
        elif not self._handed_on(connection):
            self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        while self._idle:
            self._lose(self._idle.pop()[0])

    async def _made(self) -> Connection:
        try:
            return await self._connect()
        except BaseException:
            self._free()
            raise

    async def _turn(self, seconds: float) -> Connection | None:
        """What the next one gives back who has it: a connection, or an empty place."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection | None] = loop.create_future()
        self._turns.append(turn)
        late = loop.call_later(seconds, _refuse, turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # given and cancelled in one turn
                given = turn.result()
                self._free() if given is None else self.give_back(given)
            else:
                with suppress(ValueError):
                    self._turns.remove(turn)
            raise
        finally:
            late.cancel()

    def _handed_on(self, what: Connection | None) -> bool:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(what)
                return True
        return False

    def _free(self) -> None:
        if not self._handed_on(None):
            self._open -= 1

    def _lose(self, connection: Connection) -> None:
        connection.discard()
        self._free()


def _refuse(turn: "asyncio.Future[Connection | None]") -> None:
    if not turn.done():
        turn.set_exception(PoolExhaustedError())


async def _works(connection: Connection, since: float) -> bool:
    """Whether an idle connection still works, for the price of a system call.

    A connection that the server closed is readable; one that a firewall forgot shows nothing, so after a while of
    idleness it is asked. Asking each time would cost a third of a command.
    """
    if connection.used_elsewhere() or not connection.quiet():
        return False
    if time.monotonic() - since < _IDLE_BEFORE_PING:
        return True
    timer = asyncio.get_running_loop().call_later(_PING_SECONDS, connection.cut)
    try:
        await connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    finally:
        timer.cancel()
    return True
