"""The rules for one record, inside one database transaction (architecture.md, Consumers).

- Event topics: the version after the last is applied, a lower one is a counted duplicate, a higher one is held as gap.
- State topics: a version higher than the last is applied, any other ignored. A tombstone carries its version too.
- Every record moves the version row, also one of a type that is unknown here: filtering first would make gaps.
- Behind an undecodable or failed record every later one of its key is held, so order within a key never breaks.
- When a predecessor is applied, what waited for it follows in the same transaction, in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic
from booking_inbox import held
from booking_inbox.drain import drain
from booking_inbox.held import Reason, Waiting
from booking_inbox.inbox import Inbox
from booking_inbox.reading import Poison, digest_of, key_text
from booking_inbox.subscription import Subscription

Outcome = Literal["applied", "duplicate", "ignored", "unknown", "gap", "undecodable", "failed"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a record: exactly one outcome (I13), and how many held ones followed it."""

    outcome: Outcome
    drained: int = 0
    gap_keys: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is given up for now, after how many tries."""

    error: str
    attempts: int


class Rules:
    """One consumer's rules. Stateless: everything that matters is read under the lock of the key's version row."""

    def __init__(
        self, consumer: str, subscriptions: Sequence[Subscription], transient: tuple[type[Exception], ...] = ()
    ) -> None:
        self.consumer = consumer
        self.transient = transient
        self.subscriptions: Mapping[str, Subscription] = {s.topic.name: s for s in subscriptions}
        self.inboxes = {name: Inbox(consumer, s) for name, s in self.subscriptions.items()}

    def topic(self, name: str) -> Topic:
        """The topic of this logical name; KeyError if this consumer has not subscribed to it."""
        return self.subscriptions[name].topic

    async def take(self, conn: psycopg.AsyncConnection, item: Decoded | Poison) -> Taken:
        """Apply, count or hold the record. Raises what the apply raises; the caller's transaction then rolls back."""
        if isinstance(item, Poison):
            return await self._hold_poison(conn, item)
        key = item.meta.subject
        if await self.inboxes[item.record.topic].advance(conn, key, self.version_of(item)):
            return Taken(await self.apply(conn, item))
        return await self._look_closely(conn, key, item)

    async def apply(self, conn: psycopg.AsyncConnection, item: Decoded) -> Outcome:
        """Run the service's apply; an unknown type has moved the version row and is done."""
        if item.kind == "unknown":
            return "unknown"
        await self.subscriptions[item.record.topic].apply(conn, item)
        return "applied"

    async def give_up(self, conn: psycopg.AsyncConnection, item: Decoded, failure: Failure) -> Taken:
        """Hold a record that cannot be applied, unless another copy of this consumer has meanwhile taken it."""
        version = self.version_of(item)
        last = await self.inboxes[item.record.topic].lock(conn, item.meta.subject)
        if version is not None and version <= last:
            return Taken("duplicate")
        await self._hold(conn, item, "failed", failure)
        return Taken("failed")

    def version_of(self, item: Decoded) -> int | None:
        """The record's version; None on a topic without a sequence, whatever the record says."""
        return item.meta.sequence if self.topic(item.record.topic).sequenced else None

    async def _look_closely(self, conn: psycopg.AsyncConnection, key: str, item: Decoded) -> Taken:
        topic, version = self.topic(item.record.topic), self.version_of(item)
        inbox = self.inboxes[topic.name]
        last = await inbox.lock(conn, key)
        waiting = await held.waiting(conn, self.consumer, topic.name, key)
        match verdict(topic, last, version, digest_of(item.record), waiting):
            case "apply":
                await inbox.move(conn, key, last + 1 if version is None else version)
                outcome = await self.apply(conn, item)
                return Taken(outcome, drained=len((await drain(self, conn, topic, key)).applied))
            case "hold":
                await self._hold(conn, item, "gap")
                keys = await held.gap_keys(conn, self.consumer, topic.name, item.record.partition)
                return Taken("gap", gap_keys=keys)
            case outcome:
                return Taken(outcome)

    async def _hold_poison(self, conn: psycopg.AsyncConnection, item: Poison) -> Taken:
        record = item.record
        key = key_text(record.key)
        if key is not None:
            # The lock orders this against the key's records in another copy of this consumer.
            await self.inboxes[record.topic].lock(conn, key)
        if await held.known(conn, self.consumer, record):
            return Taken("duplicate")
        await held.insert(
            conn, self.consumer, record, version=item.version, reason="undecodable", attempts=1, error=item.error
        )
        return Taken("undecodable")

    async def _hold(
        self, conn: psycopg.AsyncConnection, item: Decoded, reason: Reason, failure: Failure | None = None
    ) -> None:
        await held.insert(
            conn,
            self.consumer,
            item.record,
            version=self.version_of(item),
            reason=reason,
            attempts=failure.attempts if failure else 0,
            error=failure.error if failure else None,
        )


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
