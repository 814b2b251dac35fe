"""The processes of a stack: starting one, telling it from a later one with the same id, ending it.

A new session per process keeps a terminal's Ctrl-C from reaching it: the supervisor decides the order of stopping.
A process is ours when it has both the id and the start time that were written down, or carries the stack's mark in its
environment. Nothing else is ever signalled: ids are reused, in containers at once.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from booking_local.failure import Failure
from booking_local.layout import Layout, replace

MARK = "BOOKING_STACK"
"""Every process of a stack carries this variable with its state folder: `booking down` finds its own by it."""
NO_SPACE = "No space left on device"
"""How PostgreSQL and Kafka say that the disk is full."""
_BECOME = str(Path(__file__).with_name("become.py"))


@dataclass(frozen=True, slots=True)
class Identity:
    """A user to become, and whether file permissions shall not stop it. uid -1 is who we are."""

    uid: int = -1
    gid: int = -1
    override_permissions: bool = False

    def running(self, *action: str, die_with_parent: bool = False) -> list[str]:
        """The command line that does one of become.py's actions as this user."""
        flags = [str(self.uid), str(self.gid), str(int(self.override_permissions)), str(int(die_with_parent))]
        return [sys.executable, "-I", "-S", _BECOME, *flags, *action]

    def reaches(self, *folders: Path) -> bool:
        """Whether this user can enter all these folders."""
        asked = subprocess.run(self.running("reaches", *map(str, folders)), check=False, capture_output=True)
        return asked.returncode == 0

    def working_in(self, folder: Path) -> list[int]:
        """The processes of this user that work in that folder (nobody else may look, root in a container neither)."""
        asked = subprocess.run(self.running("working-in", str(folder)), check=True, capture_output=True, text=True)
        return [int(word) for word in asked.stdout.split()]


MYSELF = Identity()


def command_as(identity: Identity, argv: Sequence[str], *, die_with_parent: bool) -> list[str]:
    """`argv`, through become.py where that is needed."""
    if identity == MYSELF and not die_with_parent:
        return list(argv)
    return identity.running("exec", *argv, die_with_parent=die_with_parent)


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run. `stop_signals` are sent in turn, each given `stop_seconds` to work."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    identity: Identity = MYSELF
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    stop_seconds: float = 15.0


def spawn(command: Command, *, die_with_parent: bool = False) -> subprocess.Popen[bytes]:
    """Starts the program; its output is appended to `command.log`."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        return subprocess.Popen(
            command_as(command.identity, command.argv, die_with_parent=die_with_parent),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **command.env},
            cwd=command.cwd,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], command: Command) -> int:
    """Asks in the program's own way first and kills in the end; answers the exit code."""
    for number in command.stop_signals:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(command.stop_seconds)
    if process.poll() is None:
        process.kill()
    return process.wait()


class Server(ABC):
    """A server in a folder of its own. `start()` and `stop()` are synchronous; the supervisor of `booking up` uses
    `prepare()`, `command()` and `is_ready()` and runs the process itself."""

    name: str
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Makes and mends what the server needs in its folder. Raises Failure."""

    @abstractmethod
    def command(self) -> Command:
        """How to run the prepared server."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it does its work, not only listens."""

    def start(self, *, timeout: float = 60, die_with_parent: bool = True) -> Self:
        """Runs it and waits until it is ready. Raises Failure with the log's last lines."""
        return self.launch(die_with_parent=die_with_parent).await_ready(timeout=timeout)

    def launch(self, *, die_with_parent: bool = True) -> Self:
        """Runs it and waits for nothing: one of several that get ready together. Raises Failure."""
        self.prepare()
        self._process = spawn(self.command(), die_with_parent=die_with_parent)
        return self

    def await_ready(self, *, timeout: float = 60) -> Self:
        """Waits until what was launched is ready. Raises Failure with the log's last lines."""
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Failure(f"{self.name} didn't start: {last_lines(self.log)}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Ends it in its own way; killed after its deadline, which loses nothing either."""
        if self._process is not None:
            stop(self._process, self.command())
            self._process = None

    @property
    def pid(self) -> int | None:
        """Its process id while `start()`ed here."""
        return None if self._process is None else self._process.pid


def last_lines(log: Path, count: int = 3) -> str:
    """Why a program died, by its log: a full disk, else the sentence of its last critical line, else the log's end."""
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text("utf-8", "replace")[-16000:].splitlines() if line.strip()]
    if full := [line for line in lines if NO_SPACE in line]:
        return full[-1]  # what follows it, a program's tidying up, hides the cause
    for line in reversed(lines):
        with contextlib.suppress(ValueError, AttributeError):
            said = json.loads(line)
            if said.get("level") == "critical":
                return said.get("why") or said.get("event", line)
    return " | ".join(lines[-count:])


def birth(pid: int) -> str | None:
    """When a process started, as text that no other process of that id shares; None: there is none, or a zombie."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else fields[19]
    asked = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def write_down(layout: Layout, running: dict[str, int]) -> None:
    """Records the processes of a running stack, for whoever must clean up after a kill -9."""
    known = {str(pid): birth(pid) for pid in running.values()}
    replace(layout.processes, json.dumps(known))


def leftovers(layout: Layout) -> list[int]:
    """The living processes of this folder's stack, whoever started them; not this one."""
    found = {pid for pid, born in _written_down(layout).items() if born is not None and birth(pid) == born}
    if sys.platform == "linux":
        found |= _marked(os.path.realpath(layout.folder))
    return sorted(found - {os.getpid()})


def end(pids: list[int], *, seconds: float) -> None:
    """Asks them to stop, then kills; returns once none is left. PostgreSQL's polite signal is SIGINT."""
    born = {pid: birth(pid) for pid in pids}

    def living() -> list[int]:
        return [pid for pid in pids if born[pid] is not None and birth(pid) == born[pid]]

    for number, patience in (
        (signal.SIGTERM, seconds * 0.4),
        (signal.SIGINT, seconds * 0.4),
        (signal.SIGKILL, seconds),
    ):
        for pid in living():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while living() and time.monotonic() < deadline:
            time.sleep(0.02)
        if not living():
            return


def _written_down(layout: Layout) -> dict[int, str | None]:
    try:
        return {int(pid): born for pid, born in json.loads(layout.processes.read_text("utf-8")).items()}
    except (OSError, ValueError):
        return {}


def _marked(folder: str) -> set[int]:
    wanted = f"{MARK}={folder}".encode()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found
