"""Starting a server's program: with its own log, in its own process group, as another user where it must be.

A new session per process keeps a terminal's Ctrl-C from reaching it: the supervisor decides the order of stopping.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from booking_local.servers.unprivileged import MYSELF, Identity, command_as

MARK = "BOOKING_STACK"
"""Every process of a stack carries this variable with its state folder: `booking down` finds its own by it."""
NO_SPACE = "No space left on device"
"""How PostgreSQL and Kafka say that the disk is full."""


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
        return subprocess.Popen(  # noqa: S603
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
