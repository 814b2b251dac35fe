"""One generation's consumer: batches of records into its slot, rows and positions in one transaction (C2).

Live and rebuild are this same code; a generation that is not active publishes and pushes nothing.

Positions move by compare-and-set in the transaction that moves the rows. So whatever Kafka believes about offsets, a
crash loses nothing, and a zombie that writes after a rebalance finds another position and rolls back whole (K6, K8,
F14, F50).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from booking_contracts.decode import Decoded, Record
from booking_contracts.records import from_aiokafka
from booking_contracts.topics import SESSIONS
from booking_inbox import Engine, Failure, Move, PositionLost, Result, Tuning
from booking_inbox.reading import Poison, key_text, read
from booking_process.database import Database
from calendar_projector.projection.fold import Patch, event_data
from calendar_projector.projection.recognise import Recognised, recognise
from calendar_projector.projection.slot import Merged, Slot, inbox_of, merge, merge_and_move

Item = Recognised | Decoded | Poison
_TURN = 250


@dataclass(slots=True)
class Batch:
    """Records by session. `patches` are runs without gap, repeat or poison; `careful` are the keys of all others."""

    all: Sequence[Any] = ()
    patches: dict[str, Patch] = field(default_factory=dict[str, Patch])
    raws: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    careful: set[str] = field(default_factory=set[str])
    merged: Merged = field(default_factory=Merged)
    """What the last try wrote."""


async def fold_in_turns(raws: Sequence[Any], prefix: str = "", *, at_a_glance: bool = True) -> Batch:
    """As `fold`, a part at a time: a rebuild's batch takes a good part of a second, and others want their turn."""
    batch = Batch(raws)
    for start in range(0, len(raws), _TURN):
        if start:
            await asyncio.sleep(0)
        fold(raws[start : start + _TURN], prefix, at_a_glance=at_a_glance, into=batch)
    return batch


def fold(raws: Sequence[Any], prefix: str = "", *, at_a_glance: bool = True, into: Batch | None = None) -> Batch:
    """Fold a batch. Within a session the records keep their order, across sessions there is none to keep."""
    batch = Batch() if into is None else into
    raws_of, patches, careful = batch.raws, batch.patches, batch.careful
    for raw in raws:
        item = (recognise(raw) if at_a_glance else None) or decoded(raw, prefix)
        key = item[0] if isinstance(item, Recognised) else _key(item)
        if key in raws_of:
            raws_of[key].append(raw)
        else:
            raws_of[key] = [raw]
        if key not in careful and not _folded(patches, key, item):
            careful.add(key)
            patches.pop(key, None)
    return batch


def decoded(raw: Any, prefix: str) -> Decoded | Poison:
    """The record decoded the long way, or why it cannot be."""
    return read(raw if isinstance(raw, Record) else from_aiokafka(raw, prefix), sequenced=True)


def _folded(patches: dict[str, Patch], key: str, item: Item) -> bool:
    if isinstance(item, Recognised):
        _, version, kind, data, happened = item
    elif isinstance(item, Decoded) and item.meta.sequence is not None:
        version, (kind, data, happened) = item.meta.sequence, event_data(item)
    else:
        return False
    patch = patches.get(key)
    if patch is None:
        patch = patches[key] = Patch(key, version, version)
    elif version != patch.last + 1:
        return False
    patch.last = version
    patch.take(kind, data, happened)
    return True


def _key(item: Decoded | Poison) -> str:
    match item:
        case Decoded():
            return item.meta.subject
        case Poison():
            # A poisoned record without a readable key blocks no session: it stands alone.
            return key_text(item.record.key) or ""


_APPLIED = Result("applied")


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where the topics are."""

    bootstrap: str
    prefix: str


def engine_of(
    generation: int, slot: Slot, *, database: Database, kafka: Kafka, tuning: Tuning, published: Callable[[], None]
) -> Engine[Batch]:
    """One member of the generation's group; `published` is called after a commit that marked rows for the relay."""
    merging = _Merging(generation, slot, kafka.prefix, published)
    return Engine(
        slot.consumer,  # a name for each generation would be a label of metrics for each, for ever
        [SESSIONS.name],
        merging,
        together=True,
        database=database,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        group_id=f"calendar-projector.g{generation}",
        positions=Positions(generation, SESSIONS.name),
        short_way=merging.all_at_once,
        tuning=tuning,
    )


class _Merging:
    """What the engine does with a generation's records."""

    def __init__(self, generation: int, slot: Slot, prefix: str, published: Callable[[], None]) -> None:
        self._generation, self._slot, self._prefix, self._published = generation, slot, prefix, published

    async def read(self, raws: Sequence[Any], *, alone: bool) -> Batch:
        return await fold_in_turns(raws, self._prefix, at_a_glance=not alone)

    async def all_at_once(
        self, conn: psycopg.AsyncConnection[Any], work: Batch, moves: Sequence[Move]
    ) -> Sequence[Result] | None:
        """One statement, if all of the batch folds and fits; else nothing."""
        if work.careful:
            return None
        merged = await merge_and_move(conn, self._slot, list(work.patches.values()), self._generation, moves)
        if merged is None:
            return None
        work.merged = merged
        return [_APPLIED] * len(work.all)

    async def handle(
        self, conn: psycopg.AsyncConnection[Any], work: Batch, failure: Failure | None
    ) -> Sequence[Result]:
        """Merge all that folds; what does not fit its row goes through the inbox's rules, record by record."""
        merged = await merge(conn, self._slot, list(work.patches.values())) if work.patches else Merged()
        inbox = inbox_of(self._slot, merged.add)
        closely: dict[int, Result] = {}
        for key in work.raws.keys() - merged.sessions:
            for raw in work.raws[key]:
                item = decoded(raw, self._prefix)
                if failure is None or isinstance(item, Poison):
                    closely[id(raw)] = await inbox.receive(conn, item)
                else:
                    closely[id(raw)] = await inbox.give_up(conn, item, failure)
        work.merged = merged
        return [closely.get(id(raw), _APPLIED) for raw in work.all]

    def committed(self, work: Batch, results: Sequence[Result]) -> None:
        del results
        if work.merged.published:
            self._published()


_ENSURE = """
INSERT INTO projection_position (generation, topic, partition)
SELECT %(generation)s, %(topic)s, p FROM unnest(%(partitions)s::int[]) p
ON CONFLICT DO NOTHING
"""

_STORED = """
SELECT partition, next_offset FROM projection_position
WHERE generation = %(generation)s AND topic = %(topic)s AND partition = ANY(%(partitions)s::int[])
"""

_ADVANCE = """
UPDATE projection_position p
SET next_offset = u.next, last_timestamp_ms = u.timestamp_ms, updated_at = clock_timestamp()
FROM unnest(%(partitions)s::int[], %(expected)s::bigint[], %(next)s::bigint[], %(timestamps)s::bigint[])
     AS u(partition, expected, next, timestamp_ms)
WHERE p.generation = %(generation)s AND p.topic = %(topic)s AND p.partition = u.partition AND p.next_offset = u.expected
"""


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of one generation in one topic (its logical name)."""

    generation: int
    topic: str

    async def stored(
        self, conn: psycopg.AsyncConnection[Any], places: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        """The next offset of each partition; one never read before starts at 0, and is made to exist."""
        names = {"generation": self.generation, "topic": self.topic, "partitions": [place[1] for place in places]}
        await conn.execute(_ENSURE, names)
        rows = await (await conn.execute(_STORED, names)).fetchall()
        return {(self.topic, partition): offset for partition, offset in rows}

    async def advance(self, conn: psycopg.AsyncConnection[Any], moves: Sequence[Move]) -> None:
        """Move all of them, or raise PositionLost: another copy owns a partition now, so roll back and seek again."""
        ordered = sorted(moves, key=lambda move: move.partition)
        cursor = await conn.execute(
            _ADVANCE,
            {
                "generation": self.generation,
                "topic": self.topic,
                "partitions": [move.partition for move in ordered],
                "expected": [move.expected for move in ordered],
                "next": [move.next for move in ordered],
                "timestamps": [move.timestamp_ms for move in ordered],
            },
        )
        if cursor.rowcount != len(ordered):
            raise PositionLost(f"generation {self.generation}: a position is not the expected one")

    async def reset(self, conn: psycopg.AsyncConnection[Any], place: tuple[str, int], to: int) -> None:
        """Set one partition's position: the topic was recreated, and versions know what was seen already (F51)."""
        await conn.execute(
            "UPDATE projection_position SET next_offset = %s WHERE generation = %s AND topic = %s AND partition = %s",
            (to, self.generation, *place),
        )
