"""What a PostgreSQL killed with -9 leaves: its lock file, and for a moment its backends.

PostgreSQL takes a lock file whose process id belongs to any living process of the same user for a running server. In a
container ids are reused at once, so it would refuse to start for ever. We look who has that id: not a postgres that
works in this very folder, then the lock is stale.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from booking_local.servers.unprivileged import Identity


def clear_stale_lock(data: Path, identity: Identity, *, timeout: float = 15) -> None:
    """Ends servers that still work in this data folder (the caller owns it), then removes a lock nobody holds."""
    lock = data / "postmaster.pid"
    if not lock.exists() or not Path("/proc/self").exists():
        return  # without /proc PostgreSQL's own check decides
    deadline = time.monotonic() + timeout
    postmaster = _pid_in(lock)
    while running := identity.working_in(data):
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGQUIT if time.monotonic() < deadline - timeout / 2 else signal.SIGKILL)
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
    if _pid_in(lock) == postmaster:
        lock.unlink(missing_ok=True)


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_text("ascii", "replace").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
