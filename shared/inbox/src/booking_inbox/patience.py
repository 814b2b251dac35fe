"""How long a consumer waits and for what: its knobs, what passes by itself, the pauses.

A transient failure (database, network) is tried again for ever, in order, and never holds a record (F46). Everything
else is tried a few times and then held (F45): guessing wrong here either loses the order or blocks a partition.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import psycopg

from booking_process.backoff import doubled
from booking_process.database import DatabaseDownError

_JITTER = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Tuning:
    """Seconds, unless the name says otherwise. The defaults are for production; tests shorten them."""

    max_attempts: int = 5
    """Tries of a record that fails for no transient reason, before it is held: about a second altogether."""
    first_backoff: float = 0.05
    backoff_cap: float = 3.0
    """A transient failure is tried again at least this often, so recovery follows the fault's end within seconds."""
    apply_deadline: float = 60.0
    """One try. Longer counts as transient: a slow database must not hold records (F10)."""
    gap_limit: int | None = 1000
    """Keys of a partition that may wait for a predecessor; beyond it the topic lost records (pause, alarm).
    Services set it by CONSUMER_GAP_LIMIT. None: no pause, as for a projection that is rebuilt."""
    tick: float = 1.0
    """How often the monitor looks: lag, membership, stalls."""
    stall_after: float = 20.0
    """A backlog that has not moved for so long, nothing in hand, the broker answering: a new Kafka client (K3).
    Likewise when offsets cannot be committed for so long while the broker answers."""
    grace: float = 10.0
    """A stop takes so long altogether. The record in hand has most of it; then it is rolled back and left for the next
    owner (K11, K19)."""
    open_deadline: float = 60.0
    """A broker that accepts and says nothing: aiokafka's start() asks it again and again, deaf to a stop."""
    close_deadline: float = 5.0
    """aiokafka's stop() may hang (K9): after this the process goes on without it."""
    commit_deadline: float = 5.0
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    max_poll_interval: float = 300.0
    fetch_wait: float = 0.5
    metadata_age: float = 10.0
    """How soon a topic that was lost and made again is read: the client would ask for topics each 5 minutes only, and
    until then the group has none of its partitions, so no lag of them either."""
    batch_size: int = 1000
    """Records that are handed over together at most: those of one transaction where a topic is taken `batch=True`."""
    lanes: int = 4
    """Keys whose records are taken side by side otherwise, each record in a transaction of its own."""


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
        self._first, self._cap, self._next, self._waits = first, cap, first, 0

    async def wait(self, stopping: asyncio.Event) -> bool:
        """Wait half to all of the present delay (seconds); False as soon as a stop is asked for."""
        delay = self._next * _JITTER.uniform(0.5, 1.0)
        self._waits += 1
        self._next = doubled(self._waits, first=self._first, longest=self._cap)
        try:
            await asyncio.wait_for(stopping.wait(), delay)
        except TimeoutError:
            return not stopping.is_set()
        return False


async def answers(url: str, *, deadline: int = 2) -> bool:
    """Whether a new connection can be made and used within `deadline` seconds."""
    try:
        url = "postgresql://" + url.partition("://")[2]  # without SQLAlchemy's driver name
        conn = await psycopg.AsyncConnection.connect(url, connect_timeout=deadline, autocommit=True)
        try:
            async with conn.transaction():  # for its length alone: behind a pooler the session is others' too
                await conn.execute("SELECT set_config('statement_timeout', %s, true)", [f"{deadline}s"])
                await conn.execute("SELECT 1")
        finally:  # `async with` leaves it open when it is cancelled while it commits
            await conn.close()
    except (psycopg.Error, OSError):
        return False
    return True
