"""What the parts of a release share: where they are, and how they call other programs."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
_SECONDS = 1_800


class Refused(Exception):
    """The release can't be made; the message says why and what to do."""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """The output of a command; Refused with its last words when it fails, can't be started or takes half an hour."""
    words = " ".join(str(part) for part in command)
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={"UV_CACHE_DIR": str(ROOT / ".tools/uv-cache")} | os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise Refused(f"{words} took longer than {_SECONDS} s") from late
    except OSError as missing:
        raise Refused(f"{words} can't be started: {missing.strerror}") from missing
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise Refused(f"{words} failed:\n{last}")
    return done.stdout
