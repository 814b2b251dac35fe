"""One supervised process: started, watched, started again with backoff when it dies, stopped in its own way."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from booking_local.servers.process import Command, last_lines, spawn
from booking_local.stack.forkserver import Forked

Running = subprocess.Popen[bytes] | Forked
Launch = Callable[[Command], Awaitable[Forked | None]]

_FIRST_PAUSE, _LONGEST_PAUSE, _GOOD_RUN = 0.2, 10.0, 30.0


@dataclass
class Child:
    """A command kept running. `command` is asked anew at each start, so changed settings take effect.

    `before` runs ahead of each start (PostgreSQL clears a stale lock), `changed` after every start and death;
    `launch` is a faster way for the first start, the ordinary one being taken when it answers None.
    """

    name: str
    command: Callable[[], Command]
    say: Callable[[str], None]
    changed: Callable[[], None]
    before: Callable[[], Awaitable[None]] | None = None
    launch: Launch | None = None
    restarts: int = 0
    process: Running | None = None
    _running: Command | None = None
    _stopping: bool = False
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    async def start(self) -> None:
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_running(), name=f"watch {self.name}")

    def died_early(self) -> str | None:
        """Why it can't be started, once it has died twice in a row; for the sentence of a failed start."""
        return last_lines(self.command().log) if self.restarts >= 2 else None

    def kill(self) -> None:
        """Ends a process that no longer makes progress; the watch starts it again."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        self._stopping = True
        self._ended.set()
        process, command = self.process, self._running
        if process is not None and command is not None:
            for number in command.stop_signals:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, number)
                        os.kill(process.pid, signal.SIGCONT)  # one that was paused can't stop
                    await gone(process, command.stop_seconds)
            if process.poll() is None:
                self.say(f"{self.name} didn't stop in time and was killed")
                process.kill()
                await gone(process, 10)
        if self._watch is not None:
            self._watch.cancel()

    async def _spawn(self) -> None:
        if self.before is not None:
            await self.before()
        command = self._running = self.command()
        forked = await self.launch(command) if self.launch is not None and self.restarts == 0 else None
        self.process = forked or spawn(command)
        self.changed()

    async def _keep_running(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            assert self.process is not None
            began = time.monotonic()
            await gone(self.process, None)
            if self._stopping:
                return
            try:
                self.changed()
            except OSError as broken:  # likewise below: a full disk must not end the watch
                self.say(f"{self.name} ended, which can't be written down: {broken}")
            pause = _FIRST_PAUSE if time.monotonic() - began > _GOOD_RUN else pause
            self.say(f"{self.name} {_how(self.process.returncode)}; starting it again in {pause:.1f} s")
            self.restarts = self.restarts + 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if not self._stopping:
                await self._start_again()

    async def _start_again(self) -> None:
        try:
            await self._spawn()
        except Exception as broken:  # noqa: BLE001  (a full disk today may be free tomorrow: the watch goes on)
            self.say(f"{self.name} can't be started: {broken}")


async def gone(process: Running, seconds: float | None) -> None:
    """Waits for its end without a thread: a pidfd where there is one, else a look every 20 ms."""
    deadline = None if seconds is None else time.monotonic() + seconds
    if process.poll() is not None:
        return
    if hasattr(os, "pidfd_open"):
        await _pidfd(process, seconds)
        return
    while process.poll() is None and (deadline is None or time.monotonic() < deadline):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _pidfd(process: Running, seconds: float | None) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    process.poll()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
