"""A whole stack of one's own, as the rig sees it: where things are, who runs, and how to hurt them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from booking_local.layout import Layout
from booking_local.stack.secrets import Secrets, load, sign

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("checkout", "consultation", "notifier", "calendar")


@dataclass
class Stack:
    """A running stack in one folder."""

    folder: Path
    crashes: dict[str, int] = field(default_factory=dict)
    _paused: set[int] = field(default_factory=set)

    @property
    def endpoints(self) -> dict[str, Any]:
        """endpoints.json as it is now: pids change under faults."""
        return json.loads((self.folder / "endpoints.json").read_text("utf-8"))

    @property
    def secrets(self) -> Secrets:
        """The stack's own keys and passwords."""
        return load(Layout(self.folder))

    @property
    def admin_url(self) -> str:
        """PostgreSQL's superuser, for cutting connections."""
        parts = urlsplit(self.endpoints["postgres"]["checkout"])
        netloc = f"postgres:{self.secrets.postgres_superuser}@{parts.netloc.rpartition('@')[2]}"
        return parts._replace(netloc=netloc, path="/postgres").geturl()

    def processes(self) -> dict[str, int]:
        """Names and pids of what runs now."""
        return {one["name"]: one["pid"] for one in self.endpoints["processes"] if one["pid"]}

    def token(self, role: str, sub: UUID, **claims: Any) -> str:
        """A token of the stack's own issuer."""
        return sign(self.secrets, roles=[role], sub=str(sub), **claims)

    def kill(self, name: str, number: int = signal.SIGKILL) -> bool:
        """Send a signal; False if no such process runs just now."""
        pid = self.processes().get(name)
        if pid is None:
            return False
        self.crashes[name] = self.crashes.get(name, 0) + 1
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def pause(self, name: str) -> int | None:
        """SIGSTOP, children too (PostgreSQL works in them); the pid to be woken."""
        pid = self.processes().get(name)
        if pid is None or not self.kill(name, signal.SIGSTOP):
            return None
        for child in _children(pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
                self._paused.add(child)
        self._paused.add(pid)
        return pid

    def wake(self) -> None:
        """SIGCONT to all that were paused."""
        for pid in list(self._paused):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._paused.clear()


@contextmanager
def own_stack(
    folder: Path, known_bad: str = "", *, words: Sequence[str] = (), given: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """`booking up` in a folder of its own, brought down at the end; as a known-bad build if one is named.

    `words` are further ones of the command's, `given` what its environment has more (servers of one's own).
    """
    bad = {"KNOWN_BAD": known_bad, "PYTHONPATH": str(ROOT / "tests" / "chaos" / "known_bad")} if known_bad else {}
    up = _booking("up", "--detach", *words, state=folder, **bad, **(given or {}))
    try:
        assert up.returncode == 0, f"booking up: {up.stdout}\n{up.stderr}"
        stack = Stack(folder)
        if known_bad == "no_constraint":
            with psycopg.connect(stack.endpoints["postgres"]["consultation"]) as owner:
                owner.execute("ALTER TABLE time_claim DROP CONSTRAINT time_claim_no_overlap")
        yield stack
        stack.wake()
    finally:
        _booking("down", state=folder)


def audit(folder: Path) -> dict[str, Any]:
    """`booking audit --json`, the system's own proof, beside the checker's."""
    done = _booking("audit", "--json", state=folder)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"proven": False, "error": done.stderr[-2000:]}


def republish(folder: Path, topics: Sequence[str]) -> None:
    """`booking republish` of these topics."""
    if topics:
        done = _booking("republish", *(word for topic in topics for word in ("--topic", topic)), state=folder)
        assert done.returncode == 0, f"booking republish: {done.stdout}\n{done.stderr}"


def _booking(*words: str, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "booking"), *words, "--state", str(state)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]
    return []
