"""What an operator does with held records: list, show, replay, discard. Order within a key holds here too.

Both take the lock of the key's version row first, as the running consumer does, so they may run beside it.
"""

from dataclasses import dataclass
from uuid import UUID

import psycopg

from booking_inbox import held
from booking_inbox.held import Held, Reason
from booking_inbox.inbox import Drained, Inbox
from booking_inbox.reading import Poison, read


class HeldNotFound(Exception):
    """No unsettled held record has this id."""


class StillHeld(Exception):
    """The key's records were tried in order and one of them, perhaps an earlier one, is still held."""

    def __init__(self, blocking: UUID, reason: Reason, error: str | None) -> None:
        super().__init__(f"record {blocking} is still held ({reason}): {error or 'its predecessor is missing'}")
        self.blocking = blocking
        self.reason: Reason = reason
        self.error = error


@dataclass(frozen=True, slots=True)
class Report:
    """What followed: the held records that were applied, in order."""

    applied: tuple[UUID, ...]


async def replay(inbox: Inbox, conn: psycopg.AsyncConnection, held_id: UUID, *, by: str) -> Report | StillHeld:
    """Apply the key's held records in order, up to this one and on with those after it.

    Returns StillHeld when an earlier one, or this one, cannot be applied (yet): what went before it stays applied, and
    its error is noted, so commit either way. Raises HeldNotFound, and transient errors.
    """
    found = await _locked(inbox, conn, held_id)
    if found.key is None:
        return await _replay_keyless(inbox, conn, found)
    drained = await inbox.drain(conn, inbox.topics[found.topic], found.key, by=by, retry=True)
    blocking = await held.get(conn, held_id)
    if blocking is None:
        return Report(tuple(drained.applied))
    stuck = await held.get(conn, drained.stuck.id) if drained.stuck else blocking
    assert stuck is not None, "what a drain got stuck at is still held"
    return StillHeld(stuck.id, stuck.reason, stuck.error)


async def discard(inbox: Inbox, conn: psycopg.AsyncConnection, held_id: UUID, *, by: str) -> Report:
    """Give the record up for ever: its version counts as taken, what waited for it follows.

    Earlier held versions of the key are given up with it. The rows stay as what `booking-ops audit` shows as a known
    difference. Raises HeldNotFound.
    """
    found = await _locked(inbox, conn, held_id)
    ids = [held_id]
    if found.key is None:
        await held.settle(conn, ids, "discarded", by)
        return Report(())
    topic = inbox.topics[found.topic]
    if found.version is not None and topic.sequenced:
        rows = inbox.versions[found.topic]
        last = await rows.lock(conn, found.key)
        waiting = await held.waiting(conn, inbox.consumer, found.topic, found.key)
        ids += [w.id for w in waiting if w.version is not None and last < w.version < found.version]
        await rows.move(conn, found.key, max(last, found.version))
    await held.settle(conn, ids, "discarded", by)
    drained: Drained = await inbox.drain(conn, topic, found.key, by=by)
    return Report(tuple(drained.applied))


async def _locked(inbox: Inbox, conn: psycopg.AsyncConnection, held_id: UUID) -> Held:
    found = await held.get(conn, held_id)
    if found is None or found.consumer != inbox.consumer or found.topic not in inbox.topics:
        raise HeldNotFound(str(held_id))
    if found.key is not None:
        await inbox.versions[found.topic].lock(conn, found.key)
        found = await held.get(conn, held_id)  # the consumer may have settled it while we waited for the lock
        if found is None:
            raise HeldNotFound(str(held_id))
    return found


async def _replay_keyless(inbox: Inbox, conn: psycopg.AsyncConnection, found: Held) -> StillHeld:
    item = read(found.record, sequenced=inbox.topics[found.topic].sequenced)
    error = item.error if isinstance(item, Poison) else "the record has no key"
    await held.mark(conn, found.id, reason="undecodable", version=None, error=error)
    return StillHeld(found.id, "undecodable", error)
