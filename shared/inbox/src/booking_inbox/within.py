"""A deadline that ends a wait whatever is waited for.

`asyncio.timeout` cancels once and then waits for the cancellation to arrive. aiokafka swallows one in several places
(its `stop()` and its fetcher suppress CancelledError) and goes on waiting for what never comes: the deadline passes
and the caller hangs for ever (K9). Elsewhere it lets one out that nobody sent: its `stop()` cancels its own tasks and
awaits them (`Fetcher.close()`), and a worker would end by it without a word, as if it had been told to.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T], *, unless: asyncio.Event | None = None) -> T:
    """The work's outcome. Raises TimeoutError when it takes longer; it is cancelled then, and not waited for.

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
