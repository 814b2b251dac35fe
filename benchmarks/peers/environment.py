"""A virtual environment per peer, beside the project's other downloads; needs the network once."""

import asyncio
import shutil
import sys
from pathlib import Path

from benchmarks.harness import SkippedError
from booking_local.layout import tools_folder


async def python_with(*requirements: str) -> Path:
    """The Python of an environment that has these packages. Raises SkippedError when they can't be installed."""
    folder = tools_folder() / "bench" / "-".join(sorted(requirements)).replace("[", "_").replace("]", "")
    python, mark = folder / "bin" / "python", folder / "complete"
    if mark.exists():
        return python
    uv = _uv()
    await _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    await _run(uv, "pip", "install", "--quiet", "--python", str(python), *requirements)
    mark.touch()
    return python


def _uv() -> str:
    ours = tools_folder() / "uv" / "bin" / "uv"
    found = str(ours) if ours.exists() else shutil.which("uv")
    if found is None:
        raise SkippedError("there is no uv to install it with")
    return found


async def _run(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise SkippedError(f"it can't be installed: {' '.join(last) or process.returncode}")
