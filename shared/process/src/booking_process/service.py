"""A service as a value: what its composition root wires, and what the chassis makes a process of."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from fastapi import APIRouter

from booking_outbox import Progress
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


class Wakes(Protocol):
    """booking_outbox._wake.Waker: tells the relay of a commit."""

    async def start(self) -> None:
        """Begins."""
        ...

    async def close(self) -> None:
        """Ends."""
        ...


@dataclass
class Service:
    """Everything of one service; building it does no I/O.

    `migrations` is `"<package>:<folder>"`, None for a service without a database of its own. `problems` says what an
    error of the domain is to callers: the `booking_web.problems.Problem` of each kind. Hooks run in every mode:
    `on_start` before workers and requests, `on_stop` after them in reverse; none may need the database or the broker.
    """

    name: str
    title: str
    settings: ServiceSettings
    database: Database
    routers: Sequence[APIRouter] = ()
    workers: Sequence[Worker] = ()
    waker: Wakes | None = None
    migrations: str | None = None
    description: str = ""
    version: str = "1.0.0"
    problems: Mapping[type[Exception], Callable[[Any], Exception]] = field(
        default_factory=dict[type[Exception], Callable[[Any], Exception]]
    )
    on_start: Sequence[Hook] = field(default_factory=list[Hook])
    on_stop: Sequence[Hook] = field(default_factory=list[Hook])
