"""Starts Python processes in a tenth of the time: libraries are imported once, then each process is forked from here.

A program of its own, with one thread, so that forking is safe. What it forks is an orphan at once and becomes a
child of the supervisor (a subreaper), which waits for it as for any other. One that dies later is started the ordinary
way, so the fork server ends when the stack is up. Linux only; anywhere else, and whenever anything goes wrong here, the
supervisor starts processes the ordinary way.

    python -m booking_local.stack.forkserver FD [MODULE...]     requests and answers are JSON lines on that socket
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

from booking_local.servers.process import Command

LIBRARIES = (
    "booking_web.application",
    "booking_process.server",
    "booking_inbox",
    "booking_outbox",
    "booking_contracts.topics",
    "booking_contracts.decode",
    "booking_people",
    "booking_store",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.loops.uvloop",
)
"""Shared ones only: a service's own modules would leave its metrics in everybody's registry."""
_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
_READ_AT_START = ("LD_", "GLIBC_", "MALLOC_", "PYTHON")
"""Variables that only a new program reads: a fork of a running Python would go on without them."""
_SAME_IN_A_FORK = {"PYTHONUNBUFFERED"}


class Forked:
    """A process that became our child: what is used of subprocess.Popen, and no more."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid == self.pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
                return self.returncode
            self.returncode = -1
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """The fork server as the supervisor sees it; `launch` answers None when the ordinary way must be taken."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._one_at_a_time = asyncio.Lock()

    def open(self, log: Path, more: list[str], mark: Mapping[str, str]) -> None:
        """Starts it; it imports its libraries, and these more, while the servers start. Its forks show `mark` in their
        environment (/proc tells that of a process' last exec alone), so that `booking down` finds them."""
        if sys.platform != "linux":
            return
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            return
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as out:
            command = [sys.executable, "-m", "booking_local.stack.forkserver", str(theirs.fileno()), *more]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **mark},
            )
        ours.setblocking(False)
        self._line = ours

    async def launch(self, command: Command) -> Forked | None:
        """Forks a `python -m module ...` command. Whoever is cancelled meanwhile leaves no process behind."""
        launching = asyncio.ensure_future(self._launch(command))
        try:
            return await asyncio.shield(launching)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                if (forked := await launching) is not None:
                    forked.kill()
            raise

    async def _launch(self, command: Command) -> Forked | None:
        line = self._line
        if line is None or list(command.argv[:2]) != [sys.executable, "-m"] or needs_a_new_program(command):
            return None
        wish: dict[str, Any] = {
            "name": command.name,
            "module": command.argv[2],
            "arguments": list(command.argv[3:]),
            "env": {**os.environ, **command.env},
            "cwd": str(command.cwd or Path.cwd()),
            "log": str(command.log),
        }
        loop = asyncio.get_running_loop()
        try:
            async with self._one_at_a_time, asyncio.timeout(30):
                await loop.sock_sendall(line, json.dumps(wish).encode() + b"\n")
                answer = await loop.sock_recv(line, 4096)
            pid = int(json.loads(answer)["pid"])
        except (OSError, ValueError, TimeoutError):
            self.close()
            return None
        return Forked(pid) if pid else None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None


def needs_a_new_program(command: Command) -> bool:
    """Whether its settings name what a fork of a running Python would go on without."""
    return any(
        name.startswith(_READ_AT_START) and name not in _SAME_IN_A_FORK and os.environ.get(name) != value
        for name, value in command.env.items()
    )


def reap_strangers(ours: set[int]) -> None:
    """Orphans that fell to us as the subreaper, such as backends of a killed PostgreSQL: no zombies of theirs."""
    with contextlib.suppress(ChildProcessError):
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid in ours:
                return
            os.waitpid(found.si_pid, 0)


def main() -> None:
    """Answers requests until the supervisor hangs up; in a forked process, runs what was asked for."""
    with socket.socket(fileno=int(sys.argv[1])) as line:
        for library in (*LIBRARIES, *sys.argv[2:]):
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
        gc.collect()
        gc.freeze()
        wish = _serve(line)
    if wish is not None:
        _become(wish)


def _serve(line: socket.socket) -> dict[str, Any] | None:
    """Forks per request. Returns None here at the end, and the request in a forked process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with line.makefile("r", encoding="utf-8") as requests:
        for request in requests:
            wish: dict[str, Any] = json.loads(request)
            reading, writing = os.pipe()
            middle = os.fork()
            if middle == 0:
                pid = os.fork()
                if pid == 0:
                    os.close(reading)
                    os.close(writing)
                    return wish
                os.write(writing, str(pid).encode())
                os._exit(0)
            os.close(writing)
            os.waitpid(middle, 0)
            pid = int(os.read(reading, 32) or b"0")
            os.close(reading)
            line.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    return None


def _become(wish: dict[str, Any]) -> None:
    """As if it had been started from a shell: its own session, environment, folder, log and name."""
    os.setsid()
    log = os.open(wish["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(wish["env"])
    time.tzset()
    os.chdir(wish["cwd"])
    ctypes.CDLL(None).prctl(_PR_SET_NAME, wish["name"].encode()[:15], 0, 0, 0)
    sys.argv = [wish["module"], *wish["arguments"]]
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
    runpy.run_module(wish["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
