"""What is installed for tests and benchmarks is installed once, however many ask at the same time."""

import asyncio
import fcntl
import os
import sys
from pathlib import Path

import pytest

from booking_local import packages


async def test_folder__is_filled_by_one_of_those_who_ask(tmp_path: Path):
    folder, filled = tmp_path / "packages" / "set-1", 0

    async def ask() -> None:
        nonlocal filled
        async with packages._missing(folder) as missing:
            if missing is not None:
                filled += 1
                folder.mkdir(parents=True)
                await asyncio.sleep(0)  # the others have their turn
            assert folder.exists()

    await asyncio.gather(ask(), ask(), ask())
    assert filled == 1


async def test_folder_that_was_not_filled__is_missing_still(tmp_path: Path):
    folder = tmp_path / "set-1"

    async def fail() -> None:
        async with packages._missing(folder):
            folder.mkdir()
            raise packages.UnavailableError("no network")

    with pytest.raises(packages.UnavailableError, match="no network"):
        await fail()
    async with packages._missing(folder) as missing:
        assert missing is not None


async def test_one_who_installs_for_too_long__is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packages, "_PATIENCE", 0.1)
    folder = tmp_path / "set-1"
    async with packages._missing(folder):
        folder.mkdir()
        with pytest.raises(packages.UnavailableError, match="another process has been installing set-1 for too long"):
            async with packages._missing(folder):
                pass


async def test_program_that_fails__is_told_by_its_last_line():
    with pytest.raises(packages.UnavailableError, match=r"^it can't be installed: the last$"):
        await packages._run("sh", "-c", "echo first >&2; echo the last >&2; exit 3")


KILLED = """
import asyncio, sys
from pathlib import Path
from booking_local import packages

async def main():
    folder, begun, end = map(Path, sys.argv[1:])
    async with packages._missing(folder) as lock:
        await packages._run("sh", "-c", 'echo > "$0"; cat "$1"', begun, end, lock=lock)

asyncio.run(main())
"""


async def test_one_who_is_killed__keeps_others_out_until_its_program_has_ended(tmp_path: Path):
    """A run that was killed left its npm behind, which spoiled what the next one installed."""
    folder, begun, end = tmp_path / "set-1", tmp_path / "begun", tmp_path / "end"
    os.mkfifo(begun)
    os.mkfifo(end)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, folder, begun, end)
    async with asyncio.timeout(60):
        await asyncio.to_thread(begun.read_text)
        killed.kill()
        await killed.wait()
        with (tmp_path / "set-1.lock").open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await asyncio.to_thread(end.write_text, "")
        async with packages._missing(folder) as ours:
            folder.mkdir()
            assert ours is not None
