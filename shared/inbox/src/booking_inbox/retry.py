"""Which failures pass by themselves, and how long to wait meanwhile.

A transient failure (database, network) is tried again for ever, in order, and never holds a record (F46). Everything
else is tried a few times and then held (F45): guessing wrong here either loses the order or blocks a partition.
"""

import asyncio
import random
from collections.abc import Iterator
from typing import cast

import psycopg

from booking_process.database import DatabaseDownError

TRANSIENT: tuple[type[BaseException], ...] = (
    DatabaseDownError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    OSError,
    TimeoutError,
)

PERMANENT: tuple[type[BaseException], ...] = (
    # OperationalError by class, yet the record's own fault: an index row or a statement too large stays too large.
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    # OSError by class, yet nothing that waiting cures.
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
)


def is_transient(error: BaseException, more: tuple[type[BaseException], ...] = ()) -> bool:
    """Whether waiting can help. Looks through exception groups, causes and SQLAlchemy's wrapper (`orig`)."""
    return any(isinstance(e, (*TRANSIENT, *more)) and not isinstance(e, PERMANENT) for e in _chain(error, set()))


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner = getattr(error, "orig", None)
    for nested in (error.__cause__, inner if isinstance(inner, BaseException) else None):
        yield from _chain(nested, seen)
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _chain(member, seen)


class Backoff:
    """Growing, capped, jittered waits that a stop cuts short."""

    def __init__(self, *, first: float = 0.05, cap: float = 3.0) -> None:
        self._first, self._cap, self._next = first, cap, first

    async def wait(self, stopping: asyncio.Event) -> bool:
        """Wait half to all of the present delay (seconds); False as soon as a stop is asked for."""
        delay = self._next * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, no secret
        self._next = min(self._cap, self._next * 2)
        try:
            await asyncio.wait_for(stopping.wait(), delay)
        except TimeoutError:
            return not stopping.is_set()
        return False
