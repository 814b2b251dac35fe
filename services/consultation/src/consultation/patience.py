"""A request that came before the event it relies upon (api.md: the 2 seconds of POST /v1/sessions)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from booking_web import closing
from consultation.errors import NotYet

T = TypeVar("T")
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.1


async def patiently(attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Try until it works or is refused for good, at most for `seconds`; then NotYet as it was.

    What is unknown and what is somebody else's wait alike, so that the time taken tells nobody which it was.
    """
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, _FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except NotYet:
            left = until - loop.time()
            if left <= 0:
                raise
            await closing.pause(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
