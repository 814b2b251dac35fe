"""A request that waits for something learns here that its process is about to end."""

import asyncio
from contextvars import ContextVar

from booking_web.problems import Problem

_NEVER = asyncio.Event()

closing: ContextVar[asyncio.Event] = ContextVar("closing", default=_NEVER)
"""Set once a stopping process takes no more requests. The edge puts it there for each request."""


def stopping() -> Problem:
    """503: the process ends before the request did. What it began may have been done."""
    return Problem(
        503,
        "unavailable",
        "This process is stopping. Send it again, with the same Idempotency-Key.",
        headers={"Retry-After": "1", "Connection": "close"},
    )


async def pause(seconds: float) -> None:
    """Sleeps so long, within a request. Raises `stopping()` as soon as the process takes no more requests."""
    event = closing.get()
    if event is _NEVER:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    raise stopping()
