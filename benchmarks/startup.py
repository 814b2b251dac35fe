"""`booking up --detach`: the first time in a fresh folder, and again. What `./booking setup` fetches is there already.

Floor: the same PostgreSQL and Kafka alone, started side by side.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare
from benchmarks.system import System, folder_of_its_own
from booking_local.servers.kafka import Kafka
from booking_local.servers.postgres import Postgres

FIRST, AGAIN = "first time, s", "again, s"
GOALS = {FIRST: Goal(8, of="figure", least=False), AGAIN: Goal(5, of="figure", least=False)}


class Up(Protocol):
    """Started when it is entered, stopped when it is left."""

    def __call__(self, folder: Path) -> AbstractAsyncContextManager[None]:
        """With its state in that folder."""
        ...


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[None]:
    """PostgreSQL and Kafka."""
    started = [Postgres(folder / "postgres"), Kafka(folder / "kafka")]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in started))
    try:
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in started))


@asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[None]:
    """Everything."""
    try:
        await booking("up", "--detach", "--state", str(folder))
        yield
    finally:
        await booking("down", "--state", str(folder))


async def timed(up: Up) -> Run:
    """Both times, in seconds."""
    figures: dict[str, float] = {}
    with folder_of_its_own() as folder:
        for unit in (FIRST, AGAIN):
            began = time.perf_counter()
            async with up(folder):
                figures[unit] = time.perf_counter() - began
    return Run(figures)


async def measure(_system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table; the round that doesn't count warms the machine's file cache."""
    least = Contestant("floor: PostgreSQL and Kafka alone", partial(timed, servers))
    others = [] if scale == "tiny" else [Contestant("booking up --detach", partial(timed, stack), GOALS)]
    return [await compare("Start-up", least, others, rounds=rounds)]


# What is measured is the stack with servers of its own, also where the settings name others.
_OURS = {k: v for k, v in os.environ.items() if k not in {"BOOKING_POSTGRES_URL", "BOOKING_KAFKA_BOOTSTRAP"}}


async def booking(*words: str) -> bytes:
    """What the command prints. Raises RuntimeError with what it complains of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "booking_local", *words, env=_OURS,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"booking {words[0]} failed: {errors.decode()}")
    return said
