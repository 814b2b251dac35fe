"""Many records in one transaction: one read and one write of the version rows, one apply. And many that are known
already, by one look at the version rows.

The rules are those of `Inbox.receive`, word for word: whatever is not plainly next in turn goes through it, one by one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from booking_contracts.decode import Decoded
from booking_inbox.inbox import Inbox, Result, verdict, version_of
from booking_inbox.reading import Poison, key_text

ApplyAll = Callable[[psycopg.AsyncConnection, Sequence[Decoded]], Awaitable[None]]
"""Folds events and tombstones, per key in version order, into the consumer's own tables, in the given transaction."""

_STORED = """
SELECT i.topic, i.key, i.version FROM inbox i JOIN unnest(%s::text[], %s::text[]) AS k (topic, key) USING (topic, key)
WHERE i.consumer = %s ORDER BY i.topic, i.key FOR UPDATE OF i
"""

_WITH_HELD = """
SELECT DISTINCT topic, key FROM held JOIN unnest(%s::text[], %s::text[]) AS k (topic, key) USING (topic, key)
WHERE consumer = %s AND settled_at IS NULL
"""

_KNOWN = """
SELECT i.topic, i.key, i.version FROM inbox i JOIN unnest(%s::text[], %s::text[]) AS k (topic, key) USING (topic, key)
WHERE i.consumer = %s AND NOT EXISTS (
    SELECT FROM held h WHERE h.consumer = i.consumer AND h.topic = i.topic AND h.key = i.key AND h.settled_at IS NULL)
"""

_INSERT = """
INSERT INTO inbox (consumer, topic, key, version)
SELECT %s, topic, key, version FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS k (topic, key, version)
ORDER BY topic, key ON CONFLICT DO NOTHING
"""

_UPDATE = """
UPDATE inbox i SET version = k.version, updated_at = now()
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS k (topic, key, version)
WHERE i.consumer = %s AND i.topic = k.topic AND i.key = k.key
"""

_Place = tuple[str, str]
"""A topic's name and a key."""


@dataclass(slots=True)
class _Batch:
    """A batch, judged against the version rows."""

    last: dict[_Place, int]
    applied: list[Decoded] = field(default_factory=list[Decoded])
    one_by_one: list[int] = field(default_factory=list[int])
    results: dict[int, Result] = field(default_factory=dict[int, Result])


class OvertakenError(OSError):
    """Another copy of this consumer made one of the version rows first; the batch is tried again (transient)."""


async def receive_all(
    inbox: Inbox, conn: psycopg.AsyncConnection, items: Sequence[Decoded | Poison], apply: ApplyAll
) -> list[Result]:
    """What became of each, in order. Raises whatever `apply` raises; the caller's transaction then rolls back."""
    places = sorted({_place(item) for item in items if not isinstance(item, Poison)})
    stored = await _stored(conn, inbox.consumer, places)
    batch = _sort(inbox, items, stored, await _with_held(conn, inbox.consumer, places))
    if batch.applied:
        await apply(conn, batch.applied)
    await _store(conn, inbox.consumer, stored, batch.last)
    for index in batch.one_by_one:
        batch.results[index] = await inbox.receive(conn, items[index])
    return [batch.results[index] for index in range(len(items))]


async def known(inbox: Inbox, conn: psycopg.AsyncConnection, items: Sequence[Decoded | Poison]) -> list[Result | None]:
    """What became of each record whose version its key has passed; None for any other, of which nothing is said.

    Reads only, and locks nothing: a version never falls, so what is known now is known for good.
    """
    places = sorted({_place(item) for item in items if not isinstance(item, Poison)})
    if not places:
        return [None for _ in items]
    cursor = await conn.execute(_KNOWN, (*_columns(places), inbox.consumer))
    stored = {(topic, key): version for topic, key, version in await cursor.fetchall()}
    return [_known(inbox, item, stored) for item in items]


def _known(inbox: Inbox, item: Decoded | Poison, stored: dict[_Place, int]) -> Result | None:
    if isinstance(item, Poison):
        return None
    topic = inbox.topics[item.record.topic]
    match verdict(topic, stored.get(_place(item), 0), version_of(topic, item), b"", ()):
        case "duplicate" | "ignored" as outcome:
            return Result(outcome)
        case _:
            return None


def _sort(inbox: Inbox, items: Sequence[Decoded | Poison], stored: dict[_Place, int], closely: set[_Place]) -> _Batch:
    batch, closely = _Batch(last=dict(stored)), set(closely)
    # A key with poison in this very batch is looked at one by one too, else a later record would overtake it.
    closely |= {(p.record.topic, key) for p in items if isinstance(p, Poison) and (key := key_text(p.record.key))}
    for index, item in enumerate(items):
        if isinstance(item, Poison) or _place(item) in closely:
            batch.one_by_one.append(index)
            continue
        place, topic = _place(item), inbox.topics[item.record.topic]
        version, last = version_of(topic, item), batch.last.get(place, 0)
        match verdict(topic, last, version, b"", ()):
            case "hold":
                closely.add(place)
                batch.one_by_one.append(index)
            case "apply":
                batch.last[place] = last + 1 if version is None else version
                batch.results[index] = Result("unknown" if item.kind == "unknown" else "applied")
                if item.kind != "unknown":
                    batch.applied.append(item)
            case outcome:
                batch.results[index] = Result(outcome)
    return batch


def _place(item: Decoded) -> _Place:
    return item.record.topic, item.meta.subject


async def _stored(conn: psycopg.AsyncConnection, consumer: str, places: Sequence[_Place]) -> dict[_Place, int]:
    if not places:
        return {}
    cursor = await conn.execute(_STORED, (*_columns(places), consumer))
    return {(topic, key): version for topic, key, version in await cursor.fetchall()}


async def _with_held(conn: psycopg.AsyncConnection, consumer: str, places: Sequence[_Place]) -> set[_Place]:
    if not places:
        return set()
    cursor = await conn.execute(_WITH_HELD, (*_columns(places), consumer))
    return {(topic, key) for topic, key in await cursor.fetchall()}


async def _store(
    conn: psycopg.AsyncConnection, consumer: str, stored: dict[_Place, int], last: dict[_Place, int]
) -> None:
    new = sorted(place for place in last if place not in stored)
    moved = sorted(place for place in last if place in stored and stored[place] != last[place])
    if new:
        cursor = await conn.execute(_INSERT, (consumer, *_columns(new), [last[place] for place in new]))
        if cursor.rowcount != len(new):
            raise OvertakenError("a version row appeared meanwhile")
    if moved:
        await conn.execute(_UPDATE, (*_columns(moved), [last[place] for place in moved], consumer))


def _columns(places: Sequence[_Place]) -> tuple[list[str], list[str]]:
    return [topic for topic, _ in places], [key for _, key in places]
