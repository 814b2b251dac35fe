"""The release before this one: its code, taken from the repository's history, and run in this environment."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

UPGRADE_FROM = "2ec400e4350af05a9221e6ddb793609ec8e6d496"
"""What the rolling upgrade begins with. Nothing is released yet, so it is what stood before the newest heading of
CHANGELOG.md, *2026-11-30: streams and operations*: since then both writers were migrated (checkout 0014, consultation
0010 to 0012), and state topics and event types came. One day earlier lies a step that says *stop its old copies first*
(checkout's `TransactionPaid` v2), which no rolling upgrade crosses. Once there is a release, its tag stands here.
"""

_PACKAGES = ("services", "shared")


class NoHistory(Exception):
    """The commit can't be had: a clone without its history, or no clone at all."""


def unpack(commit: str, folder: Path) -> list[Path]:
    """The source folders of the services and of what they share, as they were, below `folder`."""
    done = subprocess.run(["git", "archive", commit, *_PACKAGES], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        raise NoHistory(
            f"The release before ({commit}) isn't in this clone: {done.stderr.decode().strip()}. "
            "Fetch the whole history (git fetch --unshallow), then try again."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:  # Python before 3.11.4
            archive.extractall(folder)
    return sorted(path for part in _PACKAGES for path in (folder / part).glob("*/src"))


def environment(sources: list[Path]) -> dict[str, str]:
    """What makes a process import these instead of this checkout's; none of them: this checkout's."""
    return {"PYTHONPATH": os.pathsep.join(map(str, sources))} if sources else {}


def origins(sources: list[Path], modules: list[str]) -> list[str]:
    """Where a process with that environment has these modules from."""
    files = ", ".join(f"{name}.__file__" for name in modules)
    return _printed(sources, f"import {', '.join(modules)}; print({files}, sep='\\n')")


def topics(sources: list[Path]) -> list[str]:
    """The topics that this release knows."""
    return _printed(sources, "from booking_contracts.topics import TOPICS; print(*(t.name for t in TOPICS), sep='\\n')")


def _printed(sources: list[Path], program: str) -> list[str]:
    env = {**os.environ, **environment(sources)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    return done.stdout.split()
