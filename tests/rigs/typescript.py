"""A TypeScript package as a developer has it after `npm ci`: a copy, so that the checkout stays as it is."""

import asyncio
import shutil
from pathlib import Path

import pytest
from clients.generate import HERE, LOCKED

from booking_local.packages import UnavailableError, node_with

CLIENT = HERE / "typescript"
EVENTS = HERE / "events"


async def copied(folder: Path, package: Path = CLIENT) -> Path:
    """Node, once the copy is this new folder; the test is skipped where its packages can't be had."""
    try:
        node, packages = await node_with(package, *LOCKED)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    left_out = shutil.ignore_patterns("node_modules", "dist")
    await asyncio.to_thread(shutil.copytree, package, folder, ignore=left_out)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return node


async def told(*words: str | Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """A program's exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 120)
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, said.decode()
