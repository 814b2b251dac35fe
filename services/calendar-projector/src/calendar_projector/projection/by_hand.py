"""What people decided about held records holds in every generation, and for ever (operations.md, Held records).

Each slot holds the records that its own generation could not take. A rebuild meets a discarded record again and holds
it with all behind it, as is right: only the order of the log and that decision together give the rows that are shown.
So what was decided is done in the new generation too, before the switch compares it; and what is decided while both run
is done in both. Decisions and switches exclude each other by the generations' lock, so none falls between.

Settled rows outlive their generation under the name `calendar-projector.past`.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg

from booking_inbox import HeldNotFound, Inbox, StillHeld, operations
from booking_inbox.operations import Report
from calendar_projector.projection import generations
from calendar_projector.projection.merge import Slot
from calendar_projector.projection.slot_inbox import inbox_of

PAST = generations.PAST
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
    await generations.lock(conn)
    done = await operation(inbox, conn, held_id, by=by)
    if not isinstance(done, StillHeld):
        (twin,) = (slot for name, slot in _SLOTS.items() if name != inbox.consumer)
        for (twin_id,) in await (await conn.execute(_TWIN, (held_id, twin.consumer))).fetchall():
            await operation(inbox_of(twin, lambda _: None), conn, twin_id, by=by)
    return done
