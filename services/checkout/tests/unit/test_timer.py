"""Liveness is progress, for a timer too: a step that never ends is a timer that does nothing any more (F31)."""

import asyncio

from booking_process.database import DatabaseDownError
from checkout.timer import Timer


class Step:
    """A step that is entered and does not end until it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entered, self.let = asyncio.Event(), asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.entered.set()
        await self.let.wait()
        self.entered.clear()
        if self._error:
            raise self._error
        return 0


async def test_step_that_never_ends__is_no_life():
    step, stop = Step(), asyncio.Event()
    timer = Timer("t", 60.0, step, allowed=0.0)
    running = asyncio.create_task(timer.run(stop))
    async with asyncio.timeout(30):
        await step.entered.wait()
        assert not timer.progress().alive(patience=0.0)
        assert timer.progress().backlog == 1
        stop.set()
        step.let.set()
        await running
    assert timer.progress().alive(patience=0.0)


async def test_step_within_its_time__is_life():
    step, stop = Step(), asyncio.Event()
    timer = Timer("t", 60.0, step, allowed=600.0)
    running = asyncio.create_task(timer.run(stop))
    async with asyncio.timeout(30):
        await step.entered.wait()
        assert timer.progress().alive(patience=1.0)
        stop.set()
        step.let.set()
        await running


async def test_database_away__is_waited_for():
    step, stop = Step(DatabaseDownError()), asyncio.Event()
    timer = Timer("t", 60.0, step, allowed=0.0)
    running = asyncio.create_task(timer.run(stop))
    async with asyncio.timeout(30):
        await step.entered.wait()
        stop.set()
        step.let.set()
        await running
    assert timer.progress().waiting_for == "postgres"
    assert timer.progress().alive(patience=0.0)
