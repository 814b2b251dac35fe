"""A disk that is full keeps nothing from being started again, stopped, or told."""

import asyncio
import errno
import sys
import time

import psycopg
import pytest

from booking_local.layout import Layout
from booking_local.servers.process import Command
from booking_local.stack.child import Child
from booking_local.stack.supervisor import failed_start


async def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_end_of_a_process_that_cannot_be_written_down__it_is_started_again(tmp_path):
    """The watch ended by that error, unseen, and the process stayed dead when there was space again."""
    said, full = [], asyncio.Event()

    def changed():
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    words = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = Child("kafka", lambda: Command("kafka", words, tmp_path / "kafka.log"), said.append, changed)
    await child.start()
    try:
        full.set()
        first = child.pid
        child.kill()
        await until(lambda: child.restarts or child._watch.done())
        assert not child._watch.done(), "nobody watches it any more"
        full.clear()
        await until(lambda: child.pid not in (None, first))
    finally:
        await child.stop()
    assert any("No space left" in one for one in said)


@pytest.mark.parametrize(
    "broken",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        psycopg.errors.DiskFull("could not extend file: No space left on device"),
        psycopg.errors.DiskFull("could not extend file: wrote only 4096 of 8192 bytes at block 0"),
    ],
)
def test_full_disk__one_sentence_whoever_met_it(tmp_path, broken):
    assert failed_start(ExceptionGroup("start", [broken]), Layout(tmp_path)) == (
        f"The disk of {tmp_path} is full: free some space, then run the same command again."
    )
