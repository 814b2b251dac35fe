"""A generation's positions, in PostgreSQL beside its rows.

They move by compare-and-set in the transaction that moves the rows. So whatever Kafka believes about offsets, a crash
loses nothing, and a zombie that writes after a rebalance finds another position and rolls back whole (K6, K8, F14,
F50).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from booking_inbox import Move, PositionLost

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
