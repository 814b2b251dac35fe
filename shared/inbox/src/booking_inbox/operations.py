"""What an operator does with held records: list, show, replay, discard. Order within a key holds here too.

Both take the lock of the key's version row first, as the running consumer does, so they may run beside it.
"""

from dataclasses import dataclass
from uuid import UUID

import psycopg

from booking_inbox import held
from booking_inbox.drain import Drained, drain
from booking_inbox.errors import HeldNotFound, StillHeld
from booking_inbox.held import Held
from booking_inbox.reading import Poison, read
from booking_inbox.rules import Rules


@dataclass(frozen=True, slots=True)
class Report:
    """What followed: the held records that were applied, in order."""

    applied: tuple[UUID, ...]


async def replay(rules: Rules, conn: psycopg.AsyncConnection, held_id: UUID, *, by: str) -> Report | StillHeld:
    """Apply the key's held records in order, up to this one and on with those after it.

    Returns StillHeld when an earlier one, or this one, cannot be applied (yet): what went before it stays applied, and
    its error is noted, so commit either way. Raises HeldNotFound, and transient errors.
    """
    found = await _locked(rules, conn, held_id)
    if found.key is None:
        return await _replay_keyless(rules, conn, found)
    drained = await drain(rules, conn, rules.topic(found.topic), found.key, by=by, retry=True)
    blocking = await held.get(conn, held_id)
    if blocking is None:
        return Report(tuple(drained.applied))
    stuck = await held.get(conn, drained.stuck.id) if drained.stuck else blocking
    assert stuck is not None, "what a drain got stuck at is still held"
    return StillHeld(stuck.id, stuck.reason, stuck.error)


async def discard(rules: Rules, conn: psycopg.AsyncConnection, held_id: UUID, *, by: str) -> Report:
    """Give the record up for ever: its version counts as taken, what waited for it follows.

    Earlier held versions of the key are given up with it. The rows stay as what `booking audit` shows as a known
    difference. Raises HeldNotFound.
    """
    found = await _locked(rules, conn, held_id)
    ids = [held_id]
    if found.key is None:
        await held.settle(conn, ids, "discarded", by)
        return Report(())
    topic = rules.topic(found.topic)
    if found.version is not None and topic.sequenced:
        inbox = rules.inboxes[found.topic]
        last = await inbox.lock(conn, found.key)
        waiting = await held.waiting(conn, rules.consumer, found.topic, found.key)
        ids += [w.id for w in waiting if w.version is not None and last < w.version < found.version]
        await inbox.move(conn, found.key, max(last, found.version))
    await held.settle(conn, ids, "discarded", by)
    drained: Drained = await drain(rules, conn, topic, found.key, by=by)
    return Report(tuple(drained.applied))


async def _locked(rules: Rules, conn: psycopg.AsyncConnection, held_id: UUID) -> Held:
    found = await held.get(conn, held_id)
    if found is None or found.consumer != rules.consumer or found.topic not in rules.subscriptions:
        raise HeldNotFound(str(held_id))
    if found.key is not None:
        await rules.inboxes[found.topic].lock(conn, found.key)
        found = await held.get(conn, held_id)  # the consumer may have settled it while we waited for the lock
        if found is None:
            raise HeldNotFound(str(held_id))
    return found


async def _replay_keyless(rules: Rules, conn: psycopg.AsyncConnection, found: Held) -> StillHeld:
    item = read(found.record, sequenced=rules.topic(found.topic).sequenced)
    error = item.error if isinstance(item, Poison) else "the record has no key"
    await held.mark(conn, found.id, reason="undecodable", version=None, error=error)
    return StillHeld(found.id, "undecodable", error)
