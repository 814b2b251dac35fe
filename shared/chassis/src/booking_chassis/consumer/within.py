"""A deadline that ends a wait whatever is waited for.

`asyncio.timeout` cancels once and then waits for the cancellation to arrive. aiokafka swallows one in several places
(its `stop()` and its fetcher suppress CancelledError) and goes on waiting for what never comes: the deadline passes
and the caller hangs for ever (K9).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The work's outcome. Raises TimeoutError when it takes longer; it is cancelled then, and not waited for.

    Also when the work was cancelled from within, as aiokafka does to its futures when a client closes: our caller is
    not to be ended by it.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done or task.cancelled():
        _abandon(task)
        raise TimeoutError
    return task.result()


def _abandon(task: asyncio.Task[Any]) -> None:
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
