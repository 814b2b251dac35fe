"""Tests wait for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 90.0


async def until(condition: Callable[[], Any | Awaitable[Any]], what: str = "", patience: float = PATIENCE) -> Any:
    """The condition's first true answer; fails with its last one after so many seconds."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not come within {patience:.0f} s: {answer!r}")
        await asyncio.sleep(0.02)
