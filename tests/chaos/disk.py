"""A server whose disk is full (F11, F12): its folder lies on a small tmpfs, filled to the last page, then freed.

Only root may mount; elsewhere it is skipped, with the reason. The tmpfs is unmounted whatever happens.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.afterwards import rest_and_verdict
from tests.chaos.checker.verdict import Verdict
from tests.chaos.client import Client
from tests.chaos.history import Attempt, Recorder
from tests.chaos.load import Cast, Load, bring_cast
from tests.chaos.stack import Stack, own_stack

MEGABYTES = 384
"""Room for all that a new stack writes, and a little more; what is left of it is filled."""
ALLOWED_SECONDS = 120.0
_CHUNK = 1 << 20

While = Callable[[Client, Cast, "Disk"], Awaitable[None]]


@dataclass(frozen=True)
class Disk:
    """The small disk of one server."""

    folder: Path

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.folder).free

    @property
    def used(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.folder).used

    def fill(self) -> None:
        """Take the rest, also what the server has given back since the last time."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (_CHUNK, 4096, 1):
                _write_until_full(file.fileno(), size)

    def release(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@dataclass
class Outcome:
    """What came of it. `during` are the attempts that began and ended while the disk was full."""

    verdict: Verdict
    during: list[Attempt]
    still_moving: str
    log: str
    """The supervisor's."""


def unavailable() -> str:
    """Why no disk can be filled here; empty when it can."""
    if not sys.platform.startswith("linux"):
        return "a tmpfs is Linux's"
    if os.geteuid() != 0:
        return "only root may mount a tmpfs"
    probe = Path(tempfile.mkdtemp(prefix="booking-disk-"))
    try:
        with small_disk(probe):
            return ""
    except OSError as why:
        return f"no tmpfs can be mounted here: {why}"
    finally:
        probe.rmdir()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A tmpfs on this folder. Raises OSError when there can be none."""
    options = f"size={MEGABYTES}m,mode=755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "booking-disk", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # lazy: a server that won't end keeps it busy


def run(server: str, folder: Path, full: While) -> Outcome:
    """Load until, while and after the disk of `server` is full, which `full` looks at; then rest and verdict."""
    state = Path(tempfile.mkdtemp(prefix="booking-disk-"))  # short: a socket's path has its limits
    state.chmod(0o755)
    (state / server).mkdir()
    try:
        with small_disk(state / server) as disk, own_stack(state) as stack:
            return asyncio.run(_play(stack, disk, folder, full))
    finally:
        shutil.copytree(state / "logs", folder / "logs", dirs_exist_ok=True, ignore_dangling_symlinks=True)
        if not os.path.ismount(state / server):
            shutil.rmtree(state, ignore_errors=True)


async def _play(stack: Stack, disk: Disk, folder: Path, full: While) -> Outcome:
    recorder, chance = Recorder(folder / "history.jsonl"), random.Random(11)
    client = Client(stack, recorder)
    try:
        cast = await bring_cast(client, chance, members=40)
        load = Load(client, cast, chance)
        people = asyncio.create_task(load.run(4))
        await until(lambda: len(_answered(recorder, 0.0)) > 20, 40.0)
        recorder.note("full", used=disk.used)
        began = time.time()
        try:
            disk.fill()
            await full(client, cast, disk)
        finally:
            disk.release()
        during, healed_at = attempts_between(recorder, began, time.time()), time.monotonic()
        recorder.note("freed")
        load.stop.set()
        await people
        verdict, moving = await rest_and_verdict(client, folder, healed_at=healed_at, allowed=ALLOWED_SECONDS)
        return Outcome(verdict, during, moving, (stack.folder / "logs" / "supervisor.log").read_text("utf-8"))
    finally:
        await client.close()
        recorder.close()


async def until(true: Callable[[], bool], seconds: float) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  (the load goes on beside it and tells nobody)
            await asyncio.sleep(0.1)


def attempts_between(recorder: Recorder, began: float, ended: float) -> list[Attempt]:
    """Those that began and ended within (both of the wall clock)."""
    attempts = [attempt for operation in recorder.operations.values() for attempt in operation.attempts]
    return [a for a in attempts if a.invoked_at >= began and a.answered_at is not None and a.answered_at <= ended]


def _answered(recorder: Recorder, began: float) -> list[Attempt]:
    return [attempt for attempt in attempts_between(recorder, began, time.time()) if attempt.outcome == "ok"]


def _write_until_full(descriptor: int, size: int) -> None:
    while True:
        try:
            os.write(descriptor, bytes(size))
        except OSError as full:
            if full.errno == errno.ENOSPC:
                return
            raise
