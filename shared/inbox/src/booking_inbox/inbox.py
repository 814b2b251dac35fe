"""One consumer's inbox: the version rows, the rules for each record, and what follows a held one (architecture.md).

- Event topics: the version after the last is applied, a lower one is a counted duplicate, a higher one is held as gap.
- State topics: a version higher than the last is applied, any other ignored. A tombstone carries its version too.
- Every record moves the version row, also one of a type that is unknown here: filtering first would make gaps.
- Behind an undecodable or failed record every later one of its key is held, so order within a key never breaks.
- When a predecessor is applied, what waited for it follows in the same transaction, in order.

There is a version row for each (consumer, topic, key), moved in the transaction of the change itself. That makes
redelivery, replay and a zombie after a rebalance harmless (K8, F14, F23, F27): whoever comes second finds the version
taken. Nothing here depends on offsets, so a recreated topic or more partitions change nothing (F51, F52).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic
from booking_inbox import held
from booking_inbox.held import Reason, Waiting
from booking_inbox.patience import is_transient
from booking_inbox.reading import Poison, describe, digest_of, key_text, read
from booking_postgres import Prepared

SYSTEM = "system"
_TRIES = 3
"""Of a held record, at once, each in a savepoint: another writer of the same aggregate may have been in the way."""

Apply = Callable[[psycopg.AsyncConnection, Decoded], Awaitable[None]]
"""Changes the consumer's own tables on the connection given, inside the transaction that moves the version row.

It gets events and tombstones, each at most once in effect and in version order per key. It must not commit. Whatever
it raises rolls all back: `Hold` holds the record, transient errors are tried again for ever, others a few times.
"""

Outcome = Literal["applied", "duplicate", "ignored", "unknown", "gap", "undecodable", "failed"]


class Hold(Exception):
    """Raised by an apply: hold the record at once, without further tries (reason "failed")."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a record: exactly one outcome (I13), and how many held ones followed it."""

    outcome: Outcome
    drained: int = 0
    gap_keys: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is given up for now, after how many tries."""

    error: str
    attempts: int


@dataclass(slots=True)
class Drained:
    """The held records that were applied, in order, and the one that could not be (None: all that could follow did)."""

    applied: list[UUID] = field(default_factory=list[UUID])
    stuck: Waiting | None = None


class Versions(Protocol):
    """Where the last version of each key of one topic is kept, on a connection inside a transaction."""

    async def advance(self, conn: psycopg.AsyncConnection, key: str, version: int | None) -> bool:
        """Move the row if this record's turn has plainly come and nothing of its key is held."""
        ...

    async def lock(self, conn: psycopg.AsyncConnection, key: str) -> int:
        """The key's last version (0: none yet), its row locked until the transaction ends."""
        ...

    async def move(self, conn: psycopg.AsyncConnection, key: str, version: int) -> None:
        """Set the last version of a key whose row this transaction has locked."""
        ...


class Inbox:
    """Stateless: everything that matters is read under the lock of the key's version row.

    `transient` names the service's own exceptions that waiting cures; `versions` keeps the version rows elsewhere.
    """

    def __init__(
        self,
        consumer: str,
        subscribers: Mapping[Topic, Apply],
        *,
        transient: tuple[type[Exception], ...] = (),
        versions: Versions | None = None,
    ) -> None:
        self.consumer = consumer
        self.transient = transient
        self.topics: Mapping[str, Topic] = {topic.name: topic for topic in subscribers}
        self.versions: Mapping[str, Versions] = {
            name: InboxRows(consumer, topic) if versions is None else versions for name, topic in self.topics.items()
        }
        self._apply = {topic.name: apply for topic, apply in subscribers.items()}

    async def receive(self, conn: psycopg.AsyncConnection, item: Decoded | Poison) -> Result:
        """Apply, count or hold the record. Raises what the apply raises; the caller's transaction then rolls back."""
        if isinstance(item, Poison):
            return await self._hold_poison(conn, item)
        key, topic = item.meta.subject, self.topics[item.record.topic]
        version, rows = version_of(topic, item), self.versions[topic.name]
        if await rows.advance(conn, key, version):
            return Result(await self._applied(conn, item))
        last = await rows.lock(conn, key)
        waiting = await held.waiting(conn, self.consumer, topic.name, key)
        match verdict(topic, last, version, digest_of(item.record), waiting):
            case "apply":
                await rows.move(conn, key, last + 1 if version is None else version)
                outcome = await self._applied(conn, item)
                return Result(outcome, drained=len((await self.drain(conn, topic, key)).applied))
            case "hold":
                await self._hold(conn, item, "gap")
                keys = await held.gap_keys(conn, self.consumer, topic.name, item.record.partition)
                return Result("gap", gap_keys=keys)
            case outcome:
                return Result(outcome)

    async def give_up(self, conn: psycopg.AsyncConnection, item: Decoded, failure: Failure) -> Result:
        """Hold a record that cannot be applied, unless another copy of this consumer has meanwhile taken it."""
        topic = self.topics[item.record.topic]
        version = version_of(topic, item)
        last = await self.versions[topic.name].lock(conn, item.meta.subject)
        if version is not None and version <= last:
            return Result("duplicate")
        await self._hold(conn, item, "failed", failure)
        return Result("failed")

    async def drain(
        self, conn: psycopg.AsyncConnection, topic: Topic, key: str, *, by: str = SYSTEM, retry: bool = False
    ) -> Drained:
        """Apply what of the key can follow now. With `retry` (an operator's replay) also what was given up before.

        The caller has locked the key's version row. A record that fails is left held with its error, and ends the
        drain; a transient failure is raised, so that the whole transaction is tried again.
        """
        drained = Drained()
        while True:
            last = await self.versions[topic.name].lock(conn, key)
            waiting = await held.waiting(conn, self.consumer, topic.name, key)
            passed = [w for w in waiting if w.version is not None and w.version <= last]
            # An undecodable one stays for an operator to see: nobody knows that its claim to this version was true.
            await held.settle(conn, [w.id for w in passed if w.reason != "undecodable"], "superseded", by)
            following = next_of(topic, last, [w for w in waiting if w not in passed], retry=retry)
            if following is None:
                return drained
            if not await self._receive_held(conn, topic, following, last, by=by):
                drained.stuck = following
                return drained
            drained.applied.append(following.id)

    async def _applied(self, conn: psycopg.AsyncConnection, item: Decoded) -> Outcome:
        """Run the service's apply; an unknown type has moved the version row and is done."""
        if item.kind == "unknown":
            return "unknown"
        await self._apply[item.record.topic](conn, item)
        return "applied"

    async def _hold_poison(self, conn: psycopg.AsyncConnection, item: Poison) -> Result:
        record = item.record
        key = key_text(record.key)
        if key is not None:
            # The lock orders this against the key's records in another copy of this consumer.
            await self.versions[record.topic].lock(conn, key)
        if await held.known(conn, self.consumer, record):
            return Result("duplicate")
        await held.insert(
            conn, self.consumer, record, version=item.version, reason="undecodable", attempts=1, error=item.error
        )
        return Result("undecodable")

    async def _hold(
        self, conn: psycopg.AsyncConnection, item: Decoded, reason: Reason, failure: Failure | None = None
    ) -> None:
        await held.insert(
            conn,
            self.consumer,
            item.record,
            version=version_of(self.topics[item.record.topic], item),
            reason=reason,
            attempts=failure.attempts if failure else 0,
            error=failure.error if failure else None,
        )

    async def _receive_held(
        self, conn: psycopg.AsyncConnection, topic: Topic, waiting: Waiting, last: int, *, by: str
    ) -> bool:
        found = await held.get(conn, waiting.id)
        assert found is not None, "held rows of a locked key do not vanish"
        item = read(found.record, sequenced=topic.sequenced)
        if isinstance(item, Poison):
            await held.mark(conn, waiting.id, reason="undecodable", version=item.version, error=item.error)
            return False
        version = version_of(topic, item)
        if version is not None and not topic.state and version > last + 1:
            # It was undecodable and is not any more; now it only waits for its predecessor.
            await held.mark(conn, waiting.id, reason="gap", version=version, error=None)
            return False
        error = await self._try(conn, item, last + 1 if version is None else version)
        if error is not None:
            await held.mark(conn, waiting.id, reason="failed", version=version, error=error)
            return False
        await held.settle(conn, [waiting.id], "applied", by)
        return True

    async def _try(self, conn: psycopg.AsyncConnection, item: Decoded, version: int) -> str | None:
        """The error that is left after the tries, None if one went well."""
        error = None
        for _ in range(_TRIES):
            try:
                async with conn.transaction():
                    await self.versions[item.record.topic].move(conn, item.meta.subject, version)
                    await self._applied(conn, item)
            except Exception as failure:
                if is_transient(failure, self.transient):
                    raise
                error = describe(failure)
            else:
                return None
        return error


def version_of(topic: Topic, item: Decoded) -> int | None:
    """The record's version; None on a topic without a sequence, whatever the record says."""
    return item.meta.sequence if topic.sequenced else None


def verdict(
    topic: Topic, last: int, version: int | None, digest: bytes, waiting: Sequence[Waiting]
) -> Literal["apply", "hold", "duplicate", "ignored"]:
    """The pure rule: what to do with a record, given its key's last version and what of the key is held."""
    if any(w.digest == digest for w in waiting):
        return "duplicate"
    if version is None:
        return "hold" if waiting else "apply"
    if version <= last:
        return "ignored" if topic.state and version < last else "duplicate"
    # A record that came good under the version of a held one (a fixed producer, republished) may take its place.
    if any(w.reason != "gap" and (w.version is None or last < w.version < version) for w in waiting):
        return "hold"
    return "apply" if topic.state or version == last + 1 else "hold"


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


# One statement in the usual case. A key with held records never takes this way: its order must be looked at. The
# EXISTS keeps a first record of version 5 from making a row: it is a gap, not a beginning.
_ADVANCE_EVENT: Final = Prepared("""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT $1::text, $2::text, $3::text, $4::bigint
WHERE ($4::bigint = 1
       OR EXISTS (SELECT FROM inbox WHERE consumer = $1 AND topic = $2 AND key = $3))
  AND NOT EXISTS (SELECT FROM held WHERE consumer = $1 AND topic = $2 AND key = $3
                                     AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = excluded.version, updated_at = now()
WHERE i.version = excluded.version - 1
RETURNING i.version
""")

_ADVANCE_STATE: Final = Prepared("""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT $1::text, $2::text, $3::text, $4::bigint
WHERE NOT EXISTS (SELECT FROM held WHERE consumer = $1 AND topic = $2 AND key = $3
                                     AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = excluded.version, updated_at = now()
WHERE i.version < excluded.version
RETURNING i.version
""")

# Without a sequence the row only counts, and serialises two copies of this consumer on the key.
_ADVANCE_UNSEQUENCED: Final = Prepared("""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT $1::text, $2::text, $3::text, 1
WHERE NOT EXISTS (SELECT FROM held WHERE consumer = $1 AND topic = $2 AND key = $3
                                     AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = i.version + 1, updated_at = now()
RETURNING i.version
""")

_LOCK = "SELECT version FROM inbox WHERE consumer = %(consumer)s AND topic = %(topic)s AND key = %(key)s FOR UPDATE"

_MAKE = """
INSERT INTO inbox (consumer, topic, key, version) VALUES (%(consumer)s, %(topic)s, %(key)s, 0)
ON CONFLICT DO NOTHING
"""

_MOVE = """
UPDATE inbox SET version = %(version)s, updated_at = now()
WHERE consumer = %(consumer)s AND topic = %(topic)s AND key = %(key)s
"""


class InboxRows:
    """The version rows of one consumer's topic in the table `inbox`."""

    def __init__(self, consumer: str, topic: Topic) -> None:
        self._names = {"consumer": consumer, "topic": topic.name}
        self._advance = (
            _ADVANCE_UNSEQUENCED if not topic.sequenced else _ADVANCE_STATE if topic.state else _ADVANCE_EVENT
        )

    async def advance(self, conn: psycopg.AsyncConnection, key: str, version: int | None) -> bool:
        """Move the row if it is plainly this record's turn; lock it either way."""
        place = [*self._names.values(), key]
        found = await self._advance.run(conn, place if version is None else [*place, str(version)])
        return found.ntuples > 0

    async def lock(self, conn: psycopg.AsyncConnection, key: str) -> int:
        """The key's last version, its row locked."""
        names = {**self._names, "key": key}
        row = await (await conn.execute(_LOCK, names)).fetchone()
        if row is None:
            await conn.execute(_MAKE, names)
            row = await (await conn.execute(_LOCK, names)).fetchone()
        assert row is not None, "a version row cannot vanish: the run-time role has no DELETE on inbox"
        return int(row[0])

    async def move(self, conn: psycopg.AsyncConnection, key: str, version: int) -> None:
        """Set the last version of a locked row."""
        await conn.execute(_MOVE, {**self._names, "key": key, "version": version})
