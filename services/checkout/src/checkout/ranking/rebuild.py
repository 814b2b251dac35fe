"""Rebuild the ranking's figures from the sessions topic alone, while the list is being read and fed (L3).

The topic is folded into a table beside the live one. At the switch the live fold is held off for a moment, so that
nothing it applies lies beyond what was read: the new rows are then at least as new as the old. What the live consumer
takes afterwards a second time is told from news by the rows' versions.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import SESSIONS
from booking_inbox.log import log_of
from booking_process.database import Database
from checkout.contexts import CONSUMER
from checkout.ranking import figures, listing
from checkout.ranking.figures import REBUILT, Consulted
from checkout.ranking.listing import Months

DEADLINE = 600.0  # seconds for the switch
LONGEST = 86_400.0  # seconds for all of it
RUNNING_LOCK = 0x72756E6E696E67  # "running"

_SUMS = """
INSERT INTO practitioner_month (practitioner_id, month, productivity, activity)
SELECT p.key::uuid, m.key::date, sum((m.value ->> 0)::int), sum((m.value ->> 1)::int)
FROM consulted_session s CROSS JOIN jsonb_each(s.counts) p CROSS JOIN jsonb_each(p.value) m GROUP BY 1, 2
"""


class RebuildRunningError(Exception):
    """One rebuild at a time: they share the table beside."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild read and wrote. `skipped`: records that the live consumer holds too."""

    records: int
    skipped: int
    sessions: int


Progress = Callable[[int, int], None]
"""Called with how many records were read, and how many there are."""


async def rebuild(
    database: Database, bootstrap: str, prefix: str, months: Months, progress: Progress = lambda _read, _all: None
) -> Rebuilt:
    """Fold the whole topic anew and switch to the result; broken off, it leaves all as it was.

    Raises `RebuildRunningError` while another one is under way.
    """
    async with _alone(database), log_of(SESSIONS, bootstrap, prefix) as log:
        fold = _Fold(months, await _discarded(database))
        async for batch in log.until_end():
            async with database.transaction() as conn:
                await fold.take(conn, batch)
            progress(log.read, log.total)
        async with database.transaction(deadline=DEADLINE) as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", [figures.REBUILD_LOCK])
            async for batch in log.until_end():
                await fold.take(conn, batch)
            await fold.follow_discards(conn)
            sessions = await _switch(conn)
    async with database.autocommit(deadline=DEADLINE) as conn:
        await listing.prepare(conn, months)
    return Rebuilt(log.read, log.skipped, sessions)


@asynccontextmanager
async def _alone(database: Database) -> AsyncGenerator[None]:
    async with database.autocommit(deadline=LONGEST) as conn:
        got = await (await conn.execute("SELECT pg_try_advisory_lock(%s)", [RUNNING_LOCK])).fetchone()
        if got != (True,):
            raise RebuildRunningError("another rebuild is under way")
        try:
            await conn.execute("DELETE FROM consulted_session_rebuilt")
            yield
        finally:
            await conn.execute("SELECT pg_advisory_unlock(%s)", [RUNNING_LOCK])


async def _discarded(database: Database) -> frozenset[tuple[str, int]]:
    """What an operator discarded of the live consumer's records, as (session, version): it counts here as little."""
    async with database.autocommit() as conn:
        found = await conn.execute(
            "SELECT key, version FROM held WHERE consumer = %s AND topic = %s AND outcome = 'discarded'"
            " AND key IS NOT NULL AND version IS NOT NULL",
            [CONSUMER, SESSIONS.name],
        )
        return frozenset(await found.fetchall())


async def _switch(conn: psycopg.AsyncConnection[Any]) -> int:
    await conn.execute("SET LOCAL enable_seqscan = on")  # whole tables are read here
    await conn.execute("DELETE FROM consulted_session")
    done = await conn.execute("INSERT INTO consulted_session SELECT * FROM consulted_session_rebuilt")
    await conn.execute("DELETE FROM consulted_session_rebuilt")
    await conn.execute("DELETE FROM practitioner_month")
    await conn.execute(_SUMS)
    # The list's rows follow after the commit, in batches; until they all have, the months count as not prepared.
    await conn.execute("DELETE FROM ranking_month")
    return done.rowcount


class _Fold:
    """The same fold as the live consumer's, into the table beside.

    As there, a session's records are taken one after the other: behind one that can't be read the later ones wait. Were
    they folded, the unreadable one would count as old when it is replayed, and be lost to the figures for ever.
    """

    def __init__(self, months: Months, discarded: frozenset[tuple[str, int]]) -> None:
        self._months = months
        self._discarded = discarded
        self._waiting: dict[UUID, dict[int, Decoded]] = {}

    async def take(self, conn: psycopg.AsyncConnection[Any], batch: Iterable[Decoded]) -> None:
        items = list(batch)
        rows: dict[UUID, Consulted] = await figures.load(conn, {UUID(i.meta.subject) for i in items}, REBUILT)
        for item in items:
            session_id, version = UUID(item.meta.subject), item.meta.sequence or 0
            if version > _version(rows, session_id) and (str(session_id), version) not in self._discarded:
                self._waiting.setdefault(session_id, {})[version] = item
                self._advance(rows, session_id)
        await figures.save(conn, rows.values(), REBUILT)

    async def follow_discards(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Take what waits and the live consumer has taken nevertheless: an operator discarded what stood before it.

        Called at the switch, while the live consumer is held off; what it still holds comes to the new rows through it.
        """
        found = await conn.execute(
            "SELECT key::uuid, version FROM inbox WHERE consumer = %s AND topic = %s AND key = ANY(%s)",
            [CONSUMER, SESSIONS.name, [str(session_id) for session_id in self._waiting]],
        )
        rows = await figures.load(conn, self._waiting, REBUILT)
        for session_id, taken in await found.fetchall():
            for version in sorted(self._waiting[session_id]):
                if version <= taken:
                    self._apply(rows, session_id, version)
        await figures.save(conn, rows.values(), REBUILT)

    def _advance(self, rows: dict[UUID, Consulted], session_id: UUID) -> None:
        while (following := _version(rows, session_id) + 1) in self._waiting.get(session_id, {}):
            self._apply(rows, session_id, following)

    def _apply(self, rows: dict[UUID, Consulted], session_id: UUID, version: int) -> None:
        waiting = self._waiting[session_id]
        folded = figures.fold(rows.get(session_id), waiting.pop(version), self._months)
        if folded:
            rows[session_id] = folded
        if not waiting:
            del self._waiting[session_id]


def _version(rows: dict[UUID, Consulted], session_id: UUID) -> int:
    return rows[session_id].version if session_id in rows else 0
