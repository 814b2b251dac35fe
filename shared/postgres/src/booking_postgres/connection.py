"""A connection whose socket the event loop watches from its first wait on, instead of anew for every answer.

psycopg adds the socket to the loop and takes it out again at each wait, and wakes the task for each piece that came,
which is more than half of what a small statement costs. Here the loop's own callback goes on with psycopg's generator,
and the task wakes once, for the answer. All that waits gains by it: cursors, COPY, pipelines, notifications.
"""

import asyncio
import os
import select
import socket
import time
from collections.abc import Generator
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import AsyncRowFactory, tuple_row
from psycopg.waiting import WAIT_R, WAIT_W

_READ: Final = int(WAIT_R)
_WRITE: Final = int(WAIT_W)
# For so long what needs no waiting may keep the loop from everybody else (psycopg's own measure).
_BUSY_SECONDS: Final = 0.005
_FORGET_SECONDS: Final = 5.0


class Connection(psycopg.AsyncConnection[Any]):
    """psycopg's connection with another way to wait; of one event loop at a time.

    A lost connection ends what waits on it by psycopg.OperationalError; so do `cut` and `discard`, from any callback. A
    cancelled wait asks the server to forget the statement, as psycopg's does, for at most ten seconds.
    """

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self._socket = pgconn.socket  # libpq forgets it when it closes it, and the loop must be told then
        self._loop: asyncio.AbstractEventLoop | None = None  # which watches it for something to read
        self._writing = False
        self._steps: Generator[Any, Any, Any] | None = None
        self._asks = 0
        self._answer: asyncio.Future[Any] | None = None
        self._turned = 0.0  # when the loop last had its turn
        self._unasked, self._failed = select.poll(), select.poll()
        self._unasked.register(self._socket, select.POLLIN)
        self._failed.register(self._socket, 0)

    async def wait(self, gen: PQGen[RV], interval: float = 0.0, timeout: float | None = None) -> RV:  # noqa: ARG002, ASYNC109 - psycopg's
        """The end of one of psycopg's generators, whatever was asked. ``interval`` is not needed."""
        try:
            return await self._driven(gen, timeout)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._forget(gen)
            raise

    def quiet(self) -> bool:
        """Whether it is open and nothing came unasked, such as the server's farewell. Costs a system call."""
        return not self.closed and not self._unasked.poll(0)

    def used_elsewhere(self) -> bool:
        """Whether another event loop watches it."""
        return self._loop is not None and self._loop is not asyncio.get_running_loop()

    def cut(self) -> None:
        """End whatever waits for an answer, now. A cancelled statement would first ask the server to forget it."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close it, whatever it is doing."""
        self._unwatch()
        self._closed = True
        self.pgconn.finish()
        self._fail(psycopg.OperationalError("the connection is closed"))

    async def close(self) -> None:
        """As `discard`; never waits."""
        self.discard()

    async def _driven(self, gen: PQGen[RV], seconds: float | None) -> RV:
        if self._steps is not None:
            raise psycopg.InterfaceError("somebody else waits on this connection")
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self._loop is not None:
            self._unwatch()
        answer: asyncio.Future[RV] = loop.create_future()
        self._answer, self._steps = answer, gen
        late = None
        try:
            self._step(None)
            if not answer.done():
                if seconds is not None:
                    late = loop.call_later(seconds, self._fail, errors._WaitTimeout("wait timeout expired"))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
                return await answer
            if time.monotonic() - self._turned > _BUSY_SECONDS:
                await asyncio.sleep(0)
                self._turned = time.monotonic()
            return answer.result()
        finally:
            self._steps = None
            if late is not None:
                late.cancel()
            if answer.done() and not answer.cancelled():
                answer.exception()  # which a cancelled task does not ask for
            self._answer = answer = None  # pyright: ignore[reportAssignmentType] - no circle with the error's traceback

    def _step(self, ready: int | None) -> None:
        """Go on with the generator until it has to wait; what it ends with is the answer."""
        steps, answer = self._steps, self._answer
        assert steps is not None
        assert answer is not None
        if self._writing:
            self._stop_writing()
        try:
            asks: int = steps.send(ready)
            while asks != _READ and time.monotonic() - self._turned < _BUSY_SECONDS:
                # A socket is nearly always writable: to ask it costs less than a turn of the loop.
                if not (ready := self._ready(asks)):
                    break
                asks = steps.send(ready)
            self._watch(answer.get_loop(), asks)
        except StopIteration as end:
            self._answered()
            answer.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is the waiter's
            self._answered()
            answer.set_exception(error)

    def _answered(self) -> None:
        self._steps = None
        if self.pgconn.status == ConnStatus.BAD:  # libpq has closed the socket
            self._unwatch()

    def _readable(self) -> None:
        if self._steps is None or self._answer is None or self._answer.done() or not self._asks & _READ:
            self._unwatch()  # what came unasked: it is found by `quiet` or the next wait, and must not turn the loop
            return
        self._turned = time.monotonic()
        if self._failed.poll(0):
            self._unwatch()  # uvloop tells of a failed socket once, and then watches it no more: it must be asked anew
        self._step(_READ)

    def _writable(self) -> None:
        if self._steps is None or self._answer is None or self._answer.done():
            self._stop_writing()
            return
        self._turned = time.monotonic()
        self._step(self._ready(self._asks) or _WRITE)

    def _ready(self, asks: int) -> int:
        poll = select.poll()
        poll.register(self._socket, (select.POLLIN if asks & _READ else 0) | select.POLLOUT)
        found = dict(poll.poll(0)).get(self._socket, 0)
        if found & (select.POLLERR | select.POLLHUP):
            return asks  # libpq will say what it is
        return (_READ if found & select.POLLIN else 0) | (_WRITE if found & select.POLLOUT else 0)

    def _watch(self, loop: asyncio.AbstractEventLoop, asks: int) -> None:
        self._asks = asks
        # In a context of their own: the loop would keep that of the first request for as long as the connection lives.
        if asks & _READ and self._loop is None:
            Context().run(loop.add_reader, self._socket, self._readable)
            self._loop = loop
        if asks & _WRITE:
            Context().run(loop.add_writer, self._socket, self._writable)
            self._writing = True

    def _unwatch(self) -> None:
        """Before the socket closes or right after: its number may be another's soon."""
        if self._writing:
            self._stop_writing()
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._socket)

    def _stop_writing(self) -> None:
        self._writing = False
        if self._answer is not None and not (loop := self._answer.get_loop()).is_closed():
            loop.remove_writer(self._socket)

    def _fail(self, error: psycopg.Error) -> None:
        if self._answer is not None and not self._answer.done():
            self._steps = None
            self._answer.set_exception(error)

    async def _forget(self, gen: PQGen[Any]) -> None:
        """Have the server give up the statement and read what it says to that, or close the connection."""
        try:
            await self.cancel_safe(timeout=_FORGET_SECONDS)
            await self._driven(gen, _FORGET_SECONDS)
        except psycopg.Error:
            pass  # canceled, as asked; if not, the connection's status says so
        finally:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.discard()
