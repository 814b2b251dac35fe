"""The switch: the built generation is shown instead of the old one; and what was decided about held records.

It is one transaction. It locks the positions of both, so no row of either moves meanwhile, and goes on only if the new
one is nowhere behind the old. Then rows are compared at equal positions; differences are reported and published, they
never block: a rebuild exists to end them.

What people decided about held records holds in every generation, and for ever (operations.md, Held records). Each slot
holds the records that its own generation could not take. A rebuild meets a discarded record again and holds it with all
behind it, as is right: only the order of the log and that decision together give the rows that are shown. So what was
decided is done in the new generation too, before the switch compares it; and what is decided while both run is done in
both. Decisions and switches exclude each other by the generations' lock, so none falls between. Settled rows outlive
their generation under the name `calendar-projector.past`.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.topics import USER_SCHEDULE
from booking_inbox import HeldNotFound, Inbox, StillHeld, operations
from booking_inbox.operations import Report
from calendar_projector.projection.generations import PAST, Generation, lock
from calendar_projector.projection.slot import Slot, inbox_of

_POSITIONS = """
SELECT generation, topic, partition, next_offset FROM projection_position
WHERE generation = ANY(%s) ORDER BY generation, topic, partition FOR UPDATE
"""

_REPORT = """
SELECT (SELECT count(*) FROM {new} WHERE version > 0) + count(*) FILTER (WHERE kind = 'only_old'),
       (SELECT coalesce(json_object_agg(kind, n), '{}')
        FROM (SELECT kind, count(*) AS n FROM difference WHERE kind <> 'row_version' GROUP BY kind) k),
       (SELECT coalesce(json_agg(s), '[]')
        FROM (SELECT session_id, kind FROM difference WHERE kind <> 'row_version' ORDER BY kind, session_id LIMIT 50) s)
FROM difference
"""

_PUBLISH = "INSERT INTO outbox (topic, key) SELECT %s, session_id::text FROM difference WHERE published AND differs"

# A row that only the old one has becomes one without a date, which is published as a tombstone.
_KEEP_LOST = """
INSERT INTO {new} (session_id, version, row_version)
SELECT session_id, 0, old_row_version + 1 FROM difference WHERE kind = 'only_old'
ON CONFLICT (session_id) DO UPDATE SET row_version = excluded.row_version
"""

# No row's version restarts: the topic's readers ignore a lower or equal one.
_RAISE_VERSIONS = """
UPDATE {new} n SET row_version = greatest(old_row_version, new_row_version) + CASE WHEN differs THEN 1 ELSE 0 END
FROM difference WHERE n.session_id = difference.session_id AND kind NOT IN ('only_old', 'only_new')
"""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing was switched: the new generation is behind in `behind` partitions, or ahead in `ahead`."""

    behind: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Switched:
    """The new generation is shown; what the comparison found."""

    comparison: dict[str, Any]


async def switch(
    conn: psycopg.AsyncConnection[Any], old: Generation, new: Generation, *, insist_on_equal: bool
) -> NotYet | Switched:
    """Show `new` instead of `old`. Within a transaction.

    With `insist_on_equal` only at equal positions, where every row is comparable; without, also when `new` is ahead.
    """
    await conn.execute("SELECT set_config('statement_timeout', '0', true)")  # as long as the comparison takes
    await lock(conn)  # before all others: whoever decides about a held record takes it first
    positions = await (await conn.execute(_POSITIONS, ([old.id, new.id],))).fetchall()
    states = await (
        await conn.execute("SELECT id, state FROM generation WHERE id = ANY(%s) FOR UPDATE", ([old.id, new.id],))
    ).fetchall()
    if dict(states) != {old.id: "active", new.id: "building"}:
        return NotYet(0, 0)  # another worker was faster
    behind, ahead = _distance(positions, old.id, new.id)
    if behind or (ahead and insist_on_equal):
        return NotYet(behind, ahead)
    await decide_as_before(conn, old.place, new.place)
    comparison = await _compare(conn, old, new, equal=not ahead)
    await _carry_over(conn, new)
    await conn.execute("UPDATE generation SET state = 'retired' WHERE id = %s", (old.id,))
    await conn.execute(
        "UPDATE generation SET state = 'active', switched_at = now(), comparison = %s WHERE id = %s",
        (json.dumps(comparison), new.id),
    )
    return Switched(comparison)


def _distance(positions: list[tuple[int, str, int, int]], old: int, new: int) -> tuple[int, int]:
    reached = {(topic, partition): offset for generation, topic, partition, offset in positions if generation == new}
    gaps = [reached.get((topic, p), 0) - offset for generation, topic, p, offset in positions if generation == old]
    return sum(gap < 0 for gap in gaps), sum(gap > 0 for gap in gaps)


async def _compare(
    conn: psycopg.AsyncConnection[Any], old: Generation, new: Generation, *, equal: bool
) -> dict[str, Any]:
    """What the two have not in common: counted by kind, the first fifty by name. Fills the table `difference`."""
    await conn.execute("SET LOCAL enable_seqscan = on")  # whole tables are read here
    text = (files("calendar_projector") / "projection" / "compare.sql").read_text("utf-8")
    await conn.execute(text.replace("{old}", old.place.table).replace("{new}", new.place.table).encode())
    row = await (await conn.execute(_REPORT.replace("{new}", new.place.table).encode())).fetchone()
    assert row is not None
    rows, kinds, sample = row
    return {"equal_positions": equal, "rows": rows, "differences": kinds, "sample": sample}


async def _carry_over(conn: psycopg.AsyncConnection[Any], new: Generation) -> None:
    """Publish what differs, under versions that go on from the published ones."""
    await conn.execute(_PUBLISH, (USER_SCHEDULE.name,))
    for statement in (_KEEP_LOST, _RAISE_VERSIONS):
        await conn.execute(statement.replace("{new}", new.place.table).encode())


_SLOTS = {Slot(name).consumer: Slot(name) for name in "ab"}
_EVERYWHERE = [*_SLOTS, PAST]

_TWIN = """
SELECT t.id FROM held t JOIN held h USING (topic, digest)
WHERE h.id = %s AND t.consumer = %s AND t.settled_at IS NULL
"""

# The latest decision counts, discarded or applied after all; what still waits where rows are shown is undecided.
_DECIDED = """
SELECT n.id, d.outcome, d.settled_by
FROM held n CROSS JOIN LATERAL (
    SELECT outcome, settled_by FROM held s
    WHERE s.consumer = ANY(%s) AND s.topic = n.topic AND s.digest = n.digest AND s.outcome IN ('discarded', 'applied')
    ORDER BY settled_at DESC LIMIT 1
) d
WHERE n.consumer = %s AND n.settled_at IS NULL AND NOT EXISTS (
    SELECT FROM held o WHERE o.consumer = %s AND o.topic = n.topic AND o.digest = n.digest AND o.settled_at IS NULL)
ORDER BY n.held_at, n.id
"""

Operation = Callable[..., Awaitable[Report | StillHeld]]


async def replay(inbox: Inbox, conn: psycopg.AsyncConnection[Any], held_id: UUID, *, by: str) -> Report | StillHeld:
    """As the inbox's `replay`, in both generations where there are two."""
    return await _in_both(operations.replay, inbox, conn, held_id, by=by)


async def discard(inbox: Inbox, conn: psycopg.AsyncConnection[Any], held_id: UUID, *, by: str) -> Report | StillHeld:
    """As the inbox's `discard`, in both generations where there are two."""
    return await _in_both(operations.discard, inbox, conn, held_id, by=by)


async def decide_as_before(conn: psycopg.AsyncConnection[Any], old: Slot, new: Slot) -> None:
    """Do in `new` what was decided about its held records elsewhere; `old` is shown.

    The caller has the generations' lock and keeps the engines off. What was applied elsewhere and cannot be
    applied here stays held: the comparison shows it.
    """
    inbox = inbox_of(new, lambda _: None)
    others = [name for name in _EVERYWHERE if name != new.consumer]
    decided = await conn.execute(_DECIDED, (others, new.consumer, old.consumer))
    for held_id, outcome, by in await decided.fetchall():
        operation: Operation = operations.discard if outcome == "discarded" else operations.replay
        try:
            await operation(inbox, conn, held_id, by=by)
        except HeldNotFound:
            continue  # it followed one before it


async def _in_both(
    operation: Operation, inbox: Inbox, conn: psycopg.AsyncConnection[Any], held_id: UUID, *, by: str
) -> Report | StillHeld:
    if inbox.consumer not in _SLOTS:
        return await operation(inbox, conn, held_id, by=by)
    await lock(conn)
    done = await operation(inbox, conn, held_id, by=by)
    if not isinstance(done, StillHeld):
        (twin,) = (slot for name, slot in _SLOTS.items() if name != inbox.consumer)
        for (twin_id,) in await (await conn.execute(_TWIN, (held_id, twin.consumer))).fetchall():
            await operation(inbox_of(twin, lambda _: None), conn, twin_id, by=by)
    return done
