"""What the commands do with a supervisor: start one and wait, stop it, ask for it. None needs it to be healthy."""

import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from booking_contracts.brokers import Brokers, KafkaAccess
from booking_local.failure import DISK_FULL, Failure
from booking_local.layout import Layout, replace
from booking_local.servers import process


@dataclass
class Progress:
    """How far a start is: written by the supervisor, read by `booking up`.

    `phase` is starting, ready, failed or stopping; `steps` are what is done, with the seconds it took.
    """

    phase: str = "starting"
    message: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    began: float = field(default_factory=time.time)

    def step(self, layout: Layout, what: str) -> None:
        self.steps.append((what, round(time.time() - self.began, 2)))
        self.write(layout)

    def write(self, layout: Layout) -> None:
        replace(layout.progress, json.dumps(asdict(self)))


def progress(layout: Layout) -> dict[str, Any]:
    try:
        return json.loads(layout.progress.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def supervisor_pid(layout: Layout) -> int | None:
    """The process that holds the folder's lock, or None."""
    try:
        with layout.lock.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def owned(layout: Layout) -> None:
    """Raises Failure when the folder is another user's: what we wrote there, its owner could not use."""
    try:
        owner = layout.folder.stat().st_uid
    except OSError:
        return  # there is none yet, or what is in the way is told by whoever makes it
    if owner != os.geteuid():
        raise Failure(
            f"The stack's folder {layout.folder} belongs to {_name(owner)}: run this as that user, or name a folder of "
            "yours with --state."
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def start(layout: Layout, *, port_base: int | None, attached: bool, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts a supervisor. Attached, it stops when this process ends, however it ends."""
    owned(layout)
    layout.make()
    layout.progress.unlink(missing_ok=True)
    _rotate(layout.logs)
    words = [sys.executable, "-m", "booking_local.stack.supervisor", str(layout.folder)]
    words += [] if port_base is None else ["--port-base", str(port_base)]
    words += flags
    words += ["--until-stdin-ends"] if attached else []
    with layout.log_of("supervisor").open("ab") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=layout.folder,
        )


def wait_ready(
    layout: Layout, started: subprocess.Popen[bytes], show: Callable[[str, float], None] = lambda _what, _after: None
) -> None:
    """Until everything is ready; `show` is told each step. Raises Failure with the supervisor's own sentence."""
    shown = 0
    while True:
        now = progress(layout)
        for what, after in now.get("steps", [])[shown:]:
            show(what, after)
            shown += 1
        if now.get("phase") == "ready":
            return
        if started.poll() is not None:
            now = progress(layout)
            if started.returncode == 2:
                raise Failure(f"Another booking up is at work in {layout.folder}.")
            raise Failure(now.get("message") or _why_it_said_nothing(layout))
        time.sleep(0.02)


def _why_it_said_nothing(layout: Layout) -> str:
    """A supervisor that couldn't even write down why it ended."""
    if shutil.disk_usage(layout.folder).free < 2**20:
        return DISK_FULL.format(folder=layout.folder)
    return f"The supervisor ended early: {process.last_lines(layout.log_of('supervisor')) or 'it left no word'}"


def stop(layout: Layout, *, seconds: float = 60) -> bool:
    """Stops everything of this folder and nothing else; False when there was nothing. Failure when it may not."""
    if not layout.folder.is_dir():
        raise Failure(f"There is no stack's folder {layout.folder}: is it right (--state)?")
    if os.geteuid() != 0:
        owned(layout)
    pid = supervisor_pid(layout)
    if pid is not None:
        os.kill(pid, 15)
        deadline = time.monotonic() + seconds
        while supervisor_pid(layout) == pid and time.monotonic() < deadline:
            time.sleep(0.02)
        if supervisor_pid(layout) == pid:
            os.kill(pid, 9)
    left = process.leftovers(layout)
    process.end(left, seconds=10)
    layout.endpoints.unlink(missing_ok=True)
    return pid is not None or bool(left)


def endpoints(layout: Layout) -> dict[str, Any]:
    """endpoints.json of a stack that is up. Raises Failure when it isn't."""
    try:
        return json.loads(layout.endpoints.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise Failure(
            f"No stack is up in {layout.folder}: run `booking up --detach` first, or name its folder with --state."
        ) from None
    except PermissionError:
        owned(layout)
        raise
    except ValueError:
        raise Failure(f"{layout.endpoints} can't be read: run `booking down`, then `booking up --detach`.") from None


def brokers(endpoints: Mapping[str, Any]) -> Brokers:
    """The stack's broker, as who looks after it gets there."""
    known = endpoints["kafka_admin"]
    return Brokers(known["KAFKA_BOOTSTRAP"], KafkaAccess.of(known).security)


def _rotate(logs: Path) -> None:
    """Keeps one older copy of a log over 20 MB."""
    for log in logs.glob("*.log"):
        if log.stat().st_size > 20 * 2**20:
            log.replace(log.with_suffix(".log.1"))
