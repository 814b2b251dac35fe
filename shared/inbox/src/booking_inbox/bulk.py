"""The rules for many records in one transaction: one read and one write of the version rows, one apply.

The rules are those of rules.py, word for word: whatever is not plainly next in turn goes through them one by one.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from booking_contracts.decode import Decoded
from booking_inbox.reading import Poison, key_text
from booking_inbox.rules import Rules, Taken, verdict

BatchApply = Callable[[psycopg.AsyncConnection, Sequence[Decoded]], Awaitable[None]]
"""Folds events and tombstones, per key in version order, into the consumer's own tables, in the given transaction."""

Key = tuple[str, str]

_LAST = """
SELECT i.topic, i.key, i.version FROM inbox i JOIN unnest(%s::text[], %s::text[]) AS k (topic, key) USING (topic, key)
WHERE i.consumer = %s ORDER BY i.topic, i.key FOR UPDATE OF i
"""

_HELD = """
SELECT DISTINCT topic, key FROM held JOIN unnest(%s::text[], %s::text[]) AS k (topic, key) USING (topic, key)
WHERE consumer = %s AND settled_at IS NULL
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


class Overtaken(OSError):
    """Another copy of this consumer made one of the version rows first; the batch is tried again (transient)."""


@dataclass(slots=True)
class _Sorted:
    """A batch, judged against the version rows."""

    applied: list[Decoded] = field(default_factory=list[Decoded])
    one_by_one: list[int] = field(default_factory=list[int])
    taken: dict[int, Taken] = field(default_factory=dict[int, Taken])
    last: dict[Key, int] = field(default_factory=dict[Key, int])


async def take_all(
    rules: Rules, apply: BatchApply, conn: psycopg.AsyncConnection, items: Sequence[Decoded | Poison]
) -> list[Taken]:
    """What became of each, in order. Raises whatever an apply raises; the caller's transaction then rolls back."""
    keys = sorted({_key(item) for item in items if not isinstance(item, Poison)})
    stored = await _stored(rules.consumer, conn, keys)
    held = await _with_held(rules.consumer, conn, keys)
    batch = _sort(rules, items, stored, held)
    if batch.applied:
        await apply(conn, batch.applied)
    await _store(rules.consumer, conn, stored, batch.last)
    for index in batch.one_by_one:
        batch.taken[index] = await rules.take(conn, items[index])
    return [batch.taken[index] for index in range(len(items))]


def _sort(rules: Rules, items: Sequence[Decoded | Poison], stored: dict[Key, int], closely: set[Key]) -> _Sorted:
    batch, closely = _Sorted(last=dict(stored)), set(closely)
    # A key with poison in this very batch is looked at one by one too, else a later record would overtake it.
    closely |= {(p.record.topic, key) for p in items if isinstance(p, Poison) and (key := key_text(p.record.key))}
    for index, item in enumerate(items):
        if isinstance(item, Poison) or _key(item) in closely:
            batch.one_by_one.append(index)
            continue
        key, version = _key(item), rules.version_of(item)
        last = batch.last.get(key, 0)
        match verdict(rules.topic(item.record.topic), last, version, b"", ()):
            case "hold":
                closely.add(key)
                batch.one_by_one.append(index)
            case "apply":
                batch.last[key] = last + 1 if version is None else version
                batch.taken[index] = Taken("unknown" if item.kind == "unknown" else "applied")
                if item.kind != "unknown":
                    batch.applied.append(item)
            case outcome:
                batch.taken[index] = Taken(outcome)
    return batch


def _key(item: Decoded) -> Key:
    return item.record.topic, item.meta.subject


async def _stored(consumer: str, conn: psycopg.AsyncConnection, keys: Sequence[Key]) -> dict[Key, int]:
    if not keys:
        return {}
    cursor = await conn.execute(_LAST, (*_columns(keys), consumer))
    return {(topic, key): version for topic, key, version in await cursor.fetchall()}


async def _with_held(consumer: str, conn: psycopg.AsyncConnection, keys: Sequence[Key]) -> set[Key]:
    if not keys:
        return set()
    cursor = await conn.execute(_HELD, (*_columns(keys), consumer))
    return {(topic, key) for topic, key in await cursor.fetchall()}


async def _store(consumer: str, conn: psycopg.AsyncConnection, stored: dict[Key, int], last: dict[Key, int]) -> None:
    new = sorted(key for key in last if key not in stored)
    moved = sorted(key for key in last if key in stored and stored[key] != last[key])
    if new:
        cursor = await conn.execute(_INSERT, (consumer, *_columns(new), [last[key] for key in new]))
        if cursor.rowcount != len(new):
            raise Overtaken("a version row appeared meanwhile")
    if moved:
        await conn.execute(_UPDATE, (*_columns(moved), [last[key] for key in moved], consumer))


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [topic for topic, _ in keys], [key for _, key in keys]
