"""Keeps a process's workers running, and stops them in time."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from booking_process.failures import described
from booking_process.metrics import WORKER_RESTARTS
from booking_process.service import Worker

log = structlog.get_logger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_SECONDS = 60.0


class Supervisor:
    """Runs each worker in a task; one that fails or ends is started again, with growing pauses."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Starts all workers."""
        self._tasks = [asyncio.create_task(self._keep(worker), name=worker.name) for worker in self._workers]

    async def stop(self, seconds: float) -> None:
        """Asks all to stop and waits; who is late is cancelled, since clients may hang in their close (K9)."""
        self._stop.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            log.warning("worker_cancelled", worker=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def _keep(self, worker: Worker) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await worker.run(self._stop)
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and is_meant():
                    raise
                log.error("worker_failed", worker=worker.name, **described(error))  # noqa: TRY400
            if self._stop.is_set():
                return
            WORKER_RESTARTS.labels(worker.name).inc()
            pause = _FIRST_PAUSE if time.monotonic() - began > _HEALTHY_SECONDS else min(pause * 2, _LONGEST_PAUSE)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)


def is_meant() -> bool:
    """Whether a CancelledError just caught was meant for this task. A Kafka client that closes cancels its own futures,
    and whoever waits for one sees the same error: a worker ended by that would be missed by nobody (F31)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
