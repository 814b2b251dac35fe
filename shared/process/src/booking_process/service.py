"""A service as a value: what its composition root wires; and the supervisor that keeps its workers running."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import structlog
from fastapi import APIRouter
from prometheus_client import Counter

from booking_outbox import Progress, Waker
from booking_process.database import Database
from booking_process.settings import ServiceSettings

Mode: TypeAlias = Literal["api", "worker", "all"]
Hook: TypeAlias = Callable[[], Awaitable[None]]


class Worker(Protocol):
    """Work beside requests: a relay, a consumer, a timer."""

    @property
    def name(self) -> str:
        """For logs and metrics; unique within a process."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then returns soon; whatever it raises, it is started again."""
        ...

    def progress(self) -> Progress:
        """What waits and when something last moved: liveness is progress."""
        ...


@runtime_checkable
class Watched(Protocol):
    """A worker whose figures are true wherever it is watched, also in a process that does not run it (an `api`)."""

    async def watch(self) -> None:
        """Keeps them true until cancelled."""
        ...


@dataclass
class Service:
    """Everything of one service; building it does no I/O.

    `migrations` is `"<package>:<folder>"`, None for a service without a database of its own. `problems` says what an
    error of the domain is to callers: the `booking_web.problems.Problem` of each kind. Hooks run in every mode:
    `on_start` before workers and requests, `on_stop` after them in reverse; none may need the database or the broker.
    `enumerations` are values with a name of their own in the document; those of `open_enumerations` may grow.
    `tags` tell what the operations of each tag are about.
    """

    name: str
    title: str
    settings: ServiceSettings
    database: Database
    routers: Sequence[APIRouter] = ()
    workers: Sequence[Worker] = ()
    waker: Waker | None = None
    migrations: str | None = None
    description: str = ""
    version: str = "3.0.0"
    problems: Mapping[type[Exception], Callable[[Any], Exception]] = field(
        default_factory=dict[type[Exception], Callable[[Any], Exception]]
    )
    enumerations: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    open_enumerations: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    on_start: Sequence[Hook] = field(default_factory=list[Hook])
    on_stop: Sequence[Hook] = field(default_factory=list[Hook])


log = structlog.get_logger(__name__)

_RESTARTS = Counter("booking_worker_restarts_total", "Times a worker failed and was started again.", ["worker"])
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_SECONDS = 60.0


class Supervisor:
    """Runs each worker in a task; one that fails or ends is started again, with growing pauses."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        for worker in workers:
            _RESTARTS.labels(worker.name)  # at 0 before the first: `rate` sees no rise of a series that begins with it

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
                log.exception("worker_failed", worker=worker.name)
            if self._stop.is_set():
                return
            _RESTARTS.labels(worker.name).inc()
            pause = _FIRST_PAUSE if time.monotonic() - began > _HEALTHY_SECONDS else min(pause * 2, _LONGEST_PAUSE)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)


def is_meant() -> bool:
    """Whether a CancelledError just caught was meant for this task. A Kafka client that closes cancels its own futures,
    and whoever waits for one sees the same error: a worker ended by that would be missed by nobody (F31)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
