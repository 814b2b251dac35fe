"""A worker that looks every so often for what is due; late is fine, never is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from booking_outbox import Progress
from booking_process.database import DatabaseDownError

Step = Callable[[], Awaitable[int]]
"""Does what is due now, a bounded part of it, and returns how much; 0 for nothing left."""

ALLOWED_SECONDS = 120.0
"""How long a step may take before it counts as standing still: as long as Database lets a transaction take."""


class Timer:
    """Runs a step every `every` seconds, at once again while there is more. What a step raises starts it again."""

    def __init__(self, name: str, every: float, step: Step, *, allowed: float = ALLOWED_SECONDS) -> None:
        self.name = name
        self._every = every
        self._step = step
        self._allowed = allowed
        self._began_at: float | None = None
        self._moved_at = time.monotonic()
        self._backlog = 0
        self._waiting_for: str | None = None

    def progress(self) -> Progress:
        """Behind while a step has found work and not finished; one that never ends is behind whatever it has found."""
        if self._began_at is None:
            return Progress(self._backlog, self._moved_at, self._waiting_for)
        return Progress(max(1, self._backlog), min(time.monotonic(), self._began_at + self._allowed))

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; the step in hand is finished."""
        while not stop.is_set():
            self._began_at = time.monotonic()
            try:
                self._backlog = await self._step()
                self._waiting_for = None
            except DatabaseDownError:
                self._backlog, self._waiting_for = 0, "postgres"
            finally:
                self._began_at = None
            self._moved_at = time.monotonic()
            if self._backlog == 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._every)
