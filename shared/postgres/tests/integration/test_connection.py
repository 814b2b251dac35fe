"""A connection that the loop watches all the time: it waits as psycopg's does, and ends every wait that can't end well.

Each story is told in asyncio's own loop and in uvloop's, in which the services run.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
import pytest
import uvloop
from psycopg.generators import notifies
from shared.postgres.tests.conftest import until

from booking_postgres import Connection, Prepared

pytestmark = pytest.mark.servers
NUMBER = Prepared("SELECT $1::int")
SECONDS = 20.0

Told = Callable[[Callable[[Connection], Awaitable[None]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def told(request, url) -> Told:
    """`told(story)`: the story with an autocommit connection, in a loop of its own."""

    def run(story: Callable[[Connection], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with asyncio.timeout(60), await Connection.connect(url, autocommit=True) as conn:
                await story(conn)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(whole())

    return run


async def _answers(conn: Connection) -> None:
    """Protocol and socket are in step: what comes is the answer to what is asked."""
    for number in (1, 2):
        assert (await NUMBER.run(conn, [str(number)])).get_value(0, 0) == b"%d" % number
        assert await (await conn.execute("SELECT %s", [number])).fetchone() == (number,)


def test_socket__is_given_to_the_loop_once_for_all_answers(url):
    async def story() -> None:
        loop, given = asyncio.get_running_loop(), 0
        add = loop.add_reader

        def counting(*args) -> None:
            nonlocal given
            given += 1
            add(*args)

        async with await Connection.connect(url, autocommit=True) as conn:
            loop.add_reader = counting  # pyright: ignore[reportAttributeAccessIssue]
            for _ in range(5):
                await _answers(conn)
            async with conn.transaction():
                await _answers(conn)
            with pytest.raises(psycopg.errors.DivisionByZero):
                await conn.execute("SELECT 1 / 0")
            await _answers(conn)
            assert given == 1

    asyncio.run(story())


def test_large_answers_and_parameters__pass_through_a_socket_that_fills(told):
    async def story(conn: Connection) -> None:
        large = "x" * 30_000_000
        found = await Prepared("SELECT length($1), $1").run(conn, [large])
        assert found.get_value(0, 0) == b"30000000"
        assert found.get_value(0, 1) == large.encode()
        assert await (await conn.execute("SELECT length(%s)", [large])).fetchone() == (30_000_000,)
        await _answers(conn)

    told(story)


def test_large_statement__lets_others_run(told):
    async def story(conn: Connection) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(others())
        await conn.execute("CREATE TEMPORARY TABLE lines (line text)")
        cursor = conn.cursor()
        async with cursor.copy("COPY lines FROM STDIN") as copy:
            for _ in range(2_000):
                await copy.write(b"y" * 5_000 + b"\n")
        assert turns > 10
        await cursor.executemany("INSERT INTO lines VALUES (%s)", [("z",)] * 2_000)
        read = 0
        async with cursor.copy("COPY lines TO STDOUT") as copy:
            async for block in copy:
                read += len(block)
        assert read == 2_000 * 5_001 + 2_000 * 2
        async with conn.pipeline():
            cursors = [await conn.execute("SELECT %s", [number]) for number in range(300)]
        assert [await one.fetchone() for one in cursors] == [(number,) for number in range(300)]
        await _answers(conn)
        task.cancel()

    told(story)


def test_notifications__come_at_once_and_a_wait_for_them_may_end(told, url):
    async def story(conn: Connection) -> None:
        await conn.execute("LISTEN news")
        assert [n async for n in conn.notifies(timeout=0.0)] == []
        async with await Connection.connect(url, autocommit=True) as other:
            for payload in ("one", "two"):
                heard = asyncio.create_task(_heard(conn))
                await until(lambda: conn._answer is not None)
                await other.execute(f"NOTIFY news, '{payload}'")
                assert await heard == [payload]
            await other.execute("NOTIFY news, 'unasked'")
        assert await _heard(conn) == ["unasked"]
        await _answers(conn)

    told(story)


def test_terminated_while_waiting__wakes_the_waiter_at_once(told, url):
    async def story(conn: Connection) -> None:
        waiter = asyncio.create_task(_sleeping(conn))
        await _terminate(url, conn)
        with pytest.raises(psycopg.OperationalError):
            await waiter
        assert conn.closed
        await _its_socket_number_works_for_another(conn, url)

    told(story)


def test_terminated_while_idle__is_not_quiet_and_does_not_turn_the_loop(told, url):
    async def story(conn: Connection) -> None:
        await _answers(conn)
        assert conn.quiet()
        await _terminate(url, conn)
        await until(lambda: not conn.quiet() and conn._loop is None)
        with pytest.raises(psycopg.OperationalError):
            await conn.execute("SELECT 1")
        assert conn.closed

    told(story)


def test_cut__ends_a_wait_for_a_server_that_is_stopped(told, url):
    """SIGSTOP: neither an answer nor an end of the connection, not even to a cancel request."""

    async def story(conn: Connection) -> None:
        pid = conn.info.backend_pid
        await _answers(conn)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.1, conn.cut)
            with pytest.raises(psycopg.OperationalError):
                await conn.execute("SELECT 1")
            assert time.monotonic() - began < SECONDS
        finally:
            os.kill(pid, signal.SIGCONT)

    told(story)


def test_discarded_while_somebody_waits__tells_him(told, url):
    async def story(conn: Connection) -> None:
        waiter = asyncio.create_task(_sleeping(conn))
        await until(lambda: conn._answer is not None)
        conn.discard()
        with pytest.raises(psycopg.OperationalError, match="closed"):
            await waiter
        await _its_socket_number_works_for_another(conn, url)

    told(story)


def test_cancelled_within_a_statement__the_server_forgets_it_and_the_connection_is_in_step(told):
    async def story(conn: Connection) -> None:
        for ask in (
            lambda: conn.execute("SELECT pg_sleep(300)"),
            lambda: Prepared("SELECT pg_sleep($1::int)").run(conn, ["300"]),
        ):
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await ask()
            assert time.monotonic() - began < SECONDS
            await _answers(conn)

    told(story)


def test_cancelled_and_the_server_is_silent__is_closed(told, monkeypatch):
    monkeypatch.setattr("booking_postgres.connection._FORGET_SECONDS", 0.1)

    async def story(conn: Connection) -> None:
        pid = conn.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await conn.execute("SELECT 1")
            assert conn.closed
        finally:
            os.kill(pid, signal.SIGCONT)

    told(story)


def test_two_waits_at_once__are_refused_instead_of_mixed_up(told):
    async def story(conn: Connection) -> None:
        waiter = asyncio.create_task(_sleeping(conn, seconds=0.2))
        await until(lambda: conn._answer is not None)
        with pytest.raises(psycopg.InterfaceError):
            await conn.wait(notifies(conn.pgconn))
        await waiter
        await _answers(conn)

    told(story)


def test_in_another_loop__it_is_watched_there(url):
    with asyncio.Runner() as first, asyncio.Runner() as second:
        conn = first.run(Connection.connect(url, autocommit=True))
        for runner in (first, second, first):
            runner.run(_answers(conn))
        conn.discard()


def test_in_another_loop__after_the_first_has_ended(url):
    with asyncio.Runner() as first:
        conn = first.run(Connection.connect(url, autocommit=True))
        first.run(_answers(conn))
    with asyncio.Runner() as second:
        second.run(_answers(conn))
    conn.discard()


async def _heard(conn: Connection) -> list[str]:
    return [notification.payload async for notification in conn.notifies(timeout=SECONDS, stop_after=1)]


async def _sleeping(conn: Connection, *, seconds: float = 300) -> None:
    await conn.execute("SELECT pg_sleep(%s)", [seconds])


async def _terminate(url: str, conn: Connection) -> None:
    async with await Connection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])


async def _its_socket_number_works_for_another(conn: Connection, url: str) -> None:
    """The number of a closed socket is the next one's: the loop must have forgotten the old."""
    assert conn.closed
    others = []
    with suppress(StopIteration):
        while conn._socket not in (other.fileno() for other in others):
            others.append(await Connection.connect(url, autocommit=True))
            assert len(others) < 20
    for other in others:
        await _answers(other)
        other.discard()
    with socket.socket() as listener:
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener, lambda: None)
        asyncio.get_running_loop().remove_reader(listener)
