"""Whatever is cancelled, lost or refused: no place is lost, and no connection is handed on within something.

The cancellations are exhaustive: at every point at which the work waits, both while it waits and in the very turn in
which what it waits for comes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from shared.postgres.tests.conftest import until

from booking_postgres import Connection, Pool, PoolExhaustedError, Prepared

pytestmark = pytest.mark.servers
NUMBER = Prepared("SELECT $1::int")
When = Literal["while it waits", "as it comes"]


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Pool]:
    made = Pool(lambda: Connection.connect(url, autocommit=True), size=2)
    yield made
    made.close()
    assert (made.in_use, made.idle, made.waiting) == (0, 0, 0)


@asynccontextmanager
async def taken(pool: Pool, seconds: float = 60.0) -> AsyncIterator[Connection]:
    """As a caller takes one."""
    conn = await pool.take(seconds)
    try:
        yield conn
    except asyncio.CancelledError:
        conn.discard()
        raise
    finally:
        pool.give_back(conn)


async def _number(pool: Pool, number: int = 7) -> None:
    async with taken(pool) as conn:
        assert conn.info.transaction_status is TransactionStatus.IDLE
        assert (await NUMBER.run(conn, [str(number)])).get_value(0, 0) == b"%d" % number


async def _transaction(pool: Pool) -> None:
    async with taken(pool) as conn, conn.transaction():
        await conn.execute("SELECT 1")
        await NUMBER.run(conn, ["7"])


class _Cancelled:
    """Awaits work by hand, to cancel its task at the wait with the number `at`, counted from 1."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int, when: When) -> None:
        self._work, self._at, self._when = work, at, when
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        error: BaseException | None = None
        while True:
            try:
                what = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._at:
                if self._when == "as it comes" and what is not None:
                    what.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            error = None
            try:
                yield what
            except BaseException as thrown:  # noqa: BLE001 - for the work to handle
                error = thrown


async def _cancelled_everywhere(work: Callable[[], Coroutine[Any, Any, None]], after: Callable[[], Any]) -> int:
    """Does the work again and again, cancelled at its first wait, its second and so on; how many there were."""
    at = 0
    for when in ("while it waits", "as it comes"):
        for at in range(1, 100):
            driven = _Cancelled(work(), at, when)

            async def whole(driven: _Cancelled = driven) -> None:
                await driven

            with suppress(asyncio.CancelledError):
                await asyncio.create_task(whole())
            await after()
            if driven.waits < at:
                break
    return at - 1


async def _nothing_is_lost(pool: Pool) -> None:
    await until(lambda: (pool.in_use, pool.waiting) == (0, 0))
    for conn, _ in pool._idle:
        assert conn.info.transaction_status is TransactionStatus.IDLE
    await asyncio.gather(*(_number(pool, number) for number in range(5)))


async def test_cancelled_while_it_connects(pool: Pool):
    async def work() -> None:
        while pool._idle:
            pool._lose(pool._idle.pop()[0])
        await _number(pool)

    assert await _cancelled_everywhere(work, lambda: _nothing_is_lost(pool)) > 2


@pytest.mark.parametrize("work", [_number, _transaction])
async def test_cancelled_in_a_statement_or_a_transaction(pool: Pool, work):
    async def warm() -> None:
        await _nothing_is_lost(pool)

    await warm()
    assert await _cancelled_everywhere(lambda: work(pool), warm) >= 1


async def test_cancelled_while_it_is_asked_after_long_idleness(pool: Pool, monkeypatch):
    monkeypatch.setattr("booking_postgres.pool._IDLE_BEFORE_PING", 0.0)
    await _number(pool)
    assert await _cancelled_everywhere(lambda: _number(pool), lambda: _nothing_is_lost(pool)) >= 2


async def test_cancelled_while_it_waits_for_its_turn(pool: Pool):
    async def work() -> None:
        for conn in (await pool.take(1.0), await pool.take(1.0)):  # both lie ready: no wait yet
            asyncio.get_running_loop().call_later(0.01, pool.give_back, conn)
        await _number(pool)

    await _nothing_is_lost(pool)
    assert await _cancelled_everywhere(work, lambda: _nothing_is_lost(pool)) >= 2


@pytest.mark.parametrize("lost", [False, True], ids=["a connection", "an empty place"])
async def test_given_and_cancelled_in_one_turn__goes_to_the_next(pool: Pool, lost: bool):
    first, second = await pool.take(1.0), await pool.take(1.0)
    gone = asyncio.create_task(_number(pool))
    next_ = asyncio.create_task(_number(pool))
    await until(lambda: pool.waiting == 2)
    if lost:
        first.discard()
    pool.give_back(first)
    gone.cancel()
    await next_  # though the second connection is not given back
    with pytest.raises(asyncio.CancelledError):
        await gone
    pool.give_back(second)
    await _nothing_is_lost(pool)


async def test_waiters__are_served_in_their_order_and_nobody_overtakes(pool: Pool):
    served: list[int] = []

    async def caller(number: int) -> None:
        async with taken(pool):
            served.append(number)

    held = [await pool.take(1.0), await pool.take(1.0)]
    tasks = []
    for number in range(6):
        tasks.append(asyncio.create_task(caller(number)))
        await until(lambda number=number: pool.waiting == number + 1)
    for conn in held:
        pool.give_back(conn)
    tasks.append(asyncio.create_task(caller(6)))  # comes when one was given back, and finds others before it
    await asyncio.gather(*tasks)
    assert served == list(range(7))


async def test_the_last_one_given_back__goes_out_first(pool: Pool):
    one, two = await pool.take(1.0), await pool.take(1.0)
    pool.give_back(two)
    pool.give_back(one)
    for _ in range(3):
        again = await pool.take(1.0)
        assert again is one
        pool.give_back(again)


async def test_none_given_back_in_time__is_exhausted_and_leaves_no_trace(pool: Pool):
    async with taken(pool), taken(pool):
        with pytest.raises(PoolExhaustedError):
            await pool.take(0.05)
        assert (pool.in_use, pool.waiting) == (2, 0)
    await _nothing_is_lost(pool)


async def test_within_a_transaction_or_a_statement__is_closed_instead_of_handed_on(pool: Pool):
    conn = await pool.take(1.0)
    await conn.execute("BEGIN")
    pool.give_back(conn)
    assert conn.closed
    conn = await pool.take(1.0)
    conn.pgconn.send_query(b"SELECT pg_sleep(300)")
    pool.give_back(conn)
    assert conn.closed
    await _nothing_is_lost(pool)


async def test_refused__each_caller_hears_it_himself_at_once(url: str):
    nowhere = Pool(lambda: Connection.connect(url.replace("://", "://nobody-"), autocommit=True), size=2)
    told = await asyncio.gather(*(nowhere.take(60.0) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(error, psycopg.OperationalError) and "nobody-" in str(error) for error in told), told
    assert (nowhere.in_use, nowhere.waiting) == (0, 0)


async def test_a_connection_that_was_lost__makes_place_for_a_new_one(pool: Pool, url: str):
    conn = await pool.take(1.0)
    waiters = [asyncio.create_task(_number(pool, number)) for number in range(5)]
    conn.cut()
    with pytest.raises(psycopg.OperationalError):
        await conn.execute("SELECT 1")
    pool.give_back(conn)
    await asyncio.gather(*waiters)
    await _nothing_is_lost(pool)


async def test_closed__what_is_in_use_closes_when_it_is_given_back(pool: Pool):
    async with taken(pool) as conn:
        pool.close()
        assert not conn.closed
    assert conn.closed


def test_in_another_event_loop__it_connects_anew(url: str):
    pool = Pool(lambda: Connection.connect(url, autocommit=True), size=1)
    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.run(_number(pool))
            runner.run(_number(pool))
    pool.close()
