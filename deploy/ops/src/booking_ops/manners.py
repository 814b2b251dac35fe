"""What every command has in common: a deadline, progress on stderr, and a question before what can't be taken back."""

import asyncio
import sys
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from booking_ops.failure import Failure

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before what can't be taken back.")]
Deadline = Annotated[float, typer.Option(min=1, help="Give up after so many seconds; what is done stays done.")]
_OFTEN, _SELDOM = 0.1, 10.0
"""Seconds between two words of progress, on a terminal and in a log."""


def done(work: Coroutine[Any, Any, T], deadline: float) -> T:
    """What the work comes to; Failure when it takes longer than that many seconds. Every command may be run again."""

    async def run() -> T:
        within = asyncio.timeout(deadline)
        try:
            async with within:
                return await work
        except TimeoutError:
            if not within.expired():
                raise Failure("No answer in time: are the servers up?") from None
            raise Failure(f"Not done within {deadline:g} s (--deadline). It may be run again.") from None

    return asyncio.run(run())


def sure(question: str, *, yes: bool) -> None:
    """Ask, unless `--yes` was given. Failure when the answer is no, and where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody can be asked here: give --yes.")
    if not typer.confirm(question, err=True):
        raise Failure("Nothing was done.")


class Bar:
    """How far it is, on stderr: one line that changes on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, *, on: bool = True) -> None:
        self._on, self._terminal, self._at = on, sys.stderr.isatty(), time.monotonic()

    def show(self, what: str, count: int, total: int | None = None) -> None:
        """So many of it are done."""
        if not self._on or time.monotonic() - self._at < (_OFTEN if self._terminal else _SELDOM):
            return
        self._at = time.monotonic()
        line = f"  {what}: {count:,}" + ("" if total is None else f" of {total:,}")
        print(
            f"\r\x1b[K{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def clear(self) -> None:
        """Room for a line that stays."""
        if self._on and self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
