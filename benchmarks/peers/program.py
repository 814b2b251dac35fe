"""A contestant in a process of its own: it gets ready, is told to go, works, tells its result, and is told to end.

So its own start and the filling of its tables are outside the measured span, and its connections still stand when the
span ends. It writes `ready` and later one line of JSON to standard output; for each turn it reads one line from
standard input.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.processor import Clock, Span, process

_PATIENCE = 300.0

PREAMBLE = """
import json, sys, time

def begin():
    print("ready", flush=True)
    sys.stdin.readline()

def end(result):
    print(json.dumps(result), flush=True)
    sys.stdin.readline()
"""
"""What a Python program begins with, so that it can `begin()` and `end(result)`."""


async def measured(
    name: str, words: list[str | Path], clocks: Mapping[str, Clock], environment: Mapping[str, str] | None = None
) -> tuple[Any, Span]:
    """What the program told, and the span of its work, with its own processor time as "client".

    Raises RuntimeError with its last words when it fails, or has not ended after five minutes.
    """
    child = await asyncio.create_subprocess_exec(
        *map(str, words),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    said = asyncio.create_task(child.stderr.read())  # a full pipe would stop it
    try:
        with suppress(TimeoutError, FileNotFoundError):  # it hung, or ended in the midst of its work
            async with asyncio.timeout(_PATIENCE):
                if (await child.stdout.readline()).strip() == b"ready":
                    with Span({"client": process(child.pid), **clocks}) as span:
                        child.stdin.write(b"go\n")
                        told = await child.stdout.readline()
                    if told:
                        child.stdin.write(b"end\n")
                        if await child.wait() == 0:
                            return json.loads(told), span
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        last_words = (await said).decode(errors="replace")[-2000:]
    raise RuntimeError(f"{name} failed: {last_words}")
