"""Generations: which one is shown, which one is being built, how a rebuild begins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from calendar_projector.projection.slot import Slot

PAST = "calendar-projector.past"
"""Under this name the settled held records of generations that are gone are kept."""

# What waits goes: the generation that is shown holds it too. A decision that was only repeated is kept once.
_FORGET_HELD = """
DELETE FROM held h WHERE h.consumer = %(consumer)s AND (h.settled_at IS NULL OR EXISTS (
    SELECT FROM held p
    WHERE p.consumer = %(past)s AND p.topic = h.topic AND p.digest = h.digest AND p.outcome = h.outcome))
"""
_KEEP_SETTLED = "UPDATE held SET consumer = %(past)s WHERE consumer = %(consumer)s"

State = Literal["active", "building", "retired", "discarded"]


class RebuildRunning(Exception):
    """A generation is being built already."""


class NothingToGoBackTo(Exception):
    """No retired generation is kept."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of the table `generation`."""

    id: int
    slot: str
    state: State
    requested_by: str
    started_at: datetime
    from_records: int
    switched_at: datetime | None
    comparison: dict[str, Any] | None

    @property
    def place(self) -> Slot:
        """Where its rows go."""
        return Slot(self.slot)


async def generations(conn: psycopg.AsyncConnection[Any]) -> list[Generation]:
    """All but the discarded, oldest first."""
    async with conn.cursor(row_factory=class_row(Generation)) as cursor:
        await cursor.execute("SELECT * FROM generation WHERE state <> 'discarded' ORDER BY id")
        return await cursor.fetchall()


async def begin_rebuild(conn: psycopg.AsyncConnection[Any], *, by: str) -> int:
    """A new, empty generation in the slot that is not shown; what was kept there is discarded. Within a transaction.

    Raises RebuildRunning. LockNotAvailable if somebody reads the views for too long: try again.
    """
    await lock(conn)
    found = {generation.state: generation for generation in await generations(conn)}
    if "building" in found:
        raise RebuildRunning(f"generation {found['building'].id} is being built")
    slot = "b" if found["active"].slot == "a" else "a"
    if "retired" in found:
        await _discard(conn, found["retired"])
    # Readers of the views hold a share of both slots: rather give up soon than queue everyone behind us.
    await conn.execute("SET LOCAL lock_timeout = '1s'")
    await conn.execute(f"TRUNCATE user_schedule_{slot}".encode())
    made = await conn.execute(
        "INSERT INTO generation (slot, state, requested_by) VALUES (%s, 'building', %s) RETURNING id", (slot, by)
    )
    row = await made.fetchone()
    assert row is not None
    generation = int(row[0])
    # Every partition of the shown one must be reached before the switch, so each has its row from the beginning.
    await conn.execute(
        "INSERT INTO projection_position (generation, topic, partition)"
        " SELECT %s, topic, partition FROM projection_position WHERE generation = %s",
        (generation, found["active"].id),
    )
    return generation


async def begin_going_back(conn: psycopg.AsyncConnection[Any], *, by: str) -> int:
    """Let the retired generation catch up from where it stopped, to be shown again. Within a transaction.

    Raises RebuildRunning or NothingToGoBackTo.
    """
    await lock(conn)
    found = {generation.state: generation for generation in await generations(conn)}
    if "building" in found:
        raise RebuildRunning(f"generation {found['building'].id} is being built")
    if "retired" not in found:
        raise NothingToGoBackTo("no retired generation is kept")
    back = found["retired"].id
    await conn.execute(
        "UPDATE generation SET state = 'building', requested_by = %s, started_at = now(), from_records ="
        " (SELECT coalesce(sum(next_offset), 0) FROM projection_position WHERE generation = %s) WHERE id = %s",
        (by, back, back),
    )
    return back


async def abandon(conn: psycopg.AsyncConnection[Any]) -> bool:
    """Give up the building generation, if there is one. Within a transaction."""
    await lock(conn)
    found = {generation.state: generation for generation in await generations(conn)}
    if "building" not in found:
        return False
    await _discard(conn, found["building"])
    return True


async def _discard(conn: psycopg.AsyncConnection[Any], generation: Generation) -> None:
    # Without its positions an engine of it, wherever it still is, cannot commit any more. They come first, as in all
    # that locks both: an engine in mid-statement has its position and waits for the generation.
    await conn.execute("DELETE FROM projection_position WHERE generation = %s", (generation.id,))
    await conn.execute("UPDATE generation SET state = 'discarded' WHERE id = %s", (generation.id,))
    names = {"consumer": generation.place.consumer, "past": PAST}
    await conn.execute(_FORGET_HELD, names)
    await conn.execute(_KEEP_SETTLED, names)


async def lock(conn: psycopg.AsyncConnection[Any]) -> None:
    """Of all that changes generations, and of decisions about held records: one at a time, until the commit."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('calendar-projector.generations', 0))")
