"""Telling a process from a later one with the same id, and finding what a killed supervisor left behind.

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
from pathlib import Path

from booking_local.servers.process import MARK
from booking_local.stack.layout import Layout


def birth(pid: int) -> str | None:
    """When a process started, as text that no other process of that id shares; None: there is none, or a zombie."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else fields[19]
    asked = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None


def write_down(layout: Layout, running: dict[str, int]) -> None:
    """Records the processes of a running stack, for whoever must clean up after a kill -9."""
    known = {str(pid): birth(pid) for pid in running.values()}
    half = layout.processes.with_suffix(".new")
    half.write_text(json.dumps(known), "utf-8")
    half.replace(layout.processes)


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
