"""Taking held records of one key in their order, inside the transaction that made it possible."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic
from booking_inbox import held
from booking_inbox.held import Waiting
from booking_inbox.reading import Poison, describe, read
from booking_inbox.retry import is_transient

if TYPE_CHECKING:
    from booking_inbox.rules import Rules

SYSTEM = "system"
TRIES = 3
"""At once, each in a savepoint: another writer of the same aggregate may have been in the way."""


@dataclass(slots=True)
class Drained:
    """The held records that were applied, in order, and the one that could not be (None: all that could follow did)."""

    applied: list[UUID] = field(default_factory=list[UUID])
    stuck: Waiting | None = None


async def drain(
    rules: "Rules",
    conn: psycopg.AsyncConnection,
    topic: Topic,
    key: str,
    *,
    by: str = SYSTEM,
    retry: bool = False,
) -> Drained:
    """Apply what of the key can follow now. With `retry` (an operator's replay) also what was given up before.

    The caller has locked the key's version row. A record that fails is left held with its error, and ends the drain;
    a transient failure is raised, so that the whole transaction is tried again.
    """
    drained = Drained()
    while True:
        last = await rules.inboxes[topic.name].lock(conn, key)
        waiting = await held.waiting(conn, rules.consumer, topic.name, key)
        passed = [w for w in waiting if w.version is not None and w.version <= last]
        # An undecodable one stays for an operator to see: nobody knows that its claim to this version was true.
        await held.settle(conn, [w.id for w in passed if w.reason != "undecodable"], "superseded", by)
        following = next_of(topic, last, [w for w in waiting if w not in passed], retry=retry)
        if following is None:
            return drained
        if not await _take_held(rules, conn, topic, following, last, by=by):
            drained.stuck = following
            return drained
        drained.applied.append(following.id)


def next_of(topic: Topic, last: int, waiting: Sequence[Waiting], *, retry: bool) -> Waiting | None:
    """The pure rule: which held record of a key comes next, None if nothing may move. `waiting` is oldest first."""
    if not waiting:
        return None
    unordered = [w for w in waiting if w.version is None]
    # One of unknown version may be any predecessor, so nothing passes it; without a sequence the oldest is first.
    following = unordered[0] if unordered else min(waiting, key=lambda w: w.version or 0)
    if following.reason != "gap":
        return following if retry else None
    in_turn = following.version is None or topic.state or following.version == last + 1
    return following if in_turn else None


async def _take_held(
    rules: "Rules", conn: psycopg.AsyncConnection, topic: Topic, waiting: Waiting, last: int, *, by: str
) -> bool:
    found = await held.get(conn, waiting.id)
    assert found is not None, "held rows of a locked key do not vanish"
    item = read(found.record, sequenced=topic.sequenced)
    if isinstance(item, Poison):
        await held.mark(conn, waiting.id, reason="undecodable", version=item.version, error=item.error)
        return False
    version = rules.version_of(item)
    if version is not None and not topic.state and version > last + 1:
        # It was undecodable and is not any more; now it only waits for its predecessor.
        await held.mark(conn, waiting.id, reason="gap", version=version, error=None)
        return False
    error = await _try(rules, conn, item, last + 1 if version is None else version)
    if error is not None:
        await held.mark(conn, waiting.id, reason="failed", version=version, error=error)
        return False
    await held.settle(conn, [waiting.id], "applied", by)
    return True


async def _try(rules: "Rules", conn: psycopg.AsyncConnection, item: Decoded, version: int) -> str | None:
    """The error that is left after the tries, None if one went well."""
    error = None
    for _ in range(TRIES):
        try:
            async with conn.transaction():
                await rules.inboxes[item.record.topic].move(conn, item.meta.subject, version)
                await rules.apply(conn, item)
        except Exception as failure:
            if is_transient(failure, rules.transient):
                raise
            error = describe(failure)
        else:
            return None
    return error
