"""Deadlines that hold whatever Kafka's client does (docs/reliability.md, K9)."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from aiokafka.errors import KafkaError  # pyright: ignore[reportMissingTypeStubs]

T = TypeVar("T")
Client = TypeVar("Client")


@asynccontextmanager
async def connected(client: Client, *, start: float = 60.0, stop: float = 5.0) -> AsyncGenerator[Client]:
    """One of aiokafka's clients, started; stopped at the end, also when it could not start.

    Raises KafkaError or, after `start` seconds, TimeoutError. A stop that fails or takes longer than `stop` seconds is
    left behind: who needs what a producer has in hand awaits each record.
    """
    given: Any = client
    try:
        await within(start, given.start())
        yield client
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await within(stop, given.close() if hasattr(given, "close") else given.stop())


async def within(seconds: float, work: Coroutine[Any, Any, T], *, unless: asyncio.Event | None = None) -> T:
    """The work's outcome. Raises TimeoutError when it takes longer; it is cancelled then, and not waited for.

    A deadline that ends a wait whatever is waited for. `asyncio.timeout` cancels once and then waits for the
    cancellation to arrive. aiokafka swallows one in several places (its `stop()` and its fetcher suppress
    CancelledError) and goes on waiting for what never comes (K9). Elsewhere it lets one out that nobody sent: its
    `stop()` cancels its own tasks and awaits them, and a worker would end by it without a word, as if told to.

    Likewise TimeoutError as soon as `unless` is set, and when the work was cancelled by itself: CancelledError comes
    from the caller's caller alone.
    """
    task = asyncio.ensure_future(work)
    ended = asyncio.ensure_future((unless or asyncio.Event()).wait())
    try:
        await asyncio.wait({task, ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    finally:
        ended.cancel()
    if not task.done():
        _abandon(task)
        raise TimeoutError
    if task.cancelled():
        raise TimeoutError("it was cancelled from inside")
    return task.result()


def _abandon(task: asyncio.Task[Any]) -> None:
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
