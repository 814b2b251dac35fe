"""A generation's positions, in PostgreSQL beside its rows.

They move by compare-and-set in the transaction that moves the rows. So whatever Kafka believes about offsets, a crash
loses nothing, and a zombie that writes after a rebalance finds another position and rolls back whole (K6, K8, F14,
F50).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from booking_inbox.errors import PositionLost

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
class Step:
    """One partition's move: from the position expected to the next, and the time of the last record taken."""

    expected: int
    next: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of one generation in one topic (its logical name)."""

    generation: int
    topic: str

    async def stored(self, conn: psycopg.AsyncConnection[Any], partitions: list[int]) -> dict[int, int]:
        """The next offset of each partition; one never read before starts at 0, and is made to exist."""
        names = {"generation": self.generation, "topic": self.topic, "partitions": partitions}
        await conn.execute(_ENSURE, names)
        return dict(await (await conn.execute(_STORED, names)).fetchall())

    async def advance(self, conn: psycopg.AsyncConnection[Any], steps: Mapping[int, Step]) -> None:
        """Move all of them, or raise PositionLost: another copy owns a partition now, so roll back and seek again."""
        partitions = sorted(steps)
        cursor = await conn.execute(
            _ADVANCE,
            {
                "generation": self.generation,
                "topic": self.topic,
                "partitions": partitions,
                "expected": [steps[p].expected for p in partitions],
                "next": [steps[p].next for p in partitions],
                "timestamps": [steps[p].timestamp_ms for p in partitions],
            },
        )
        if cursor.rowcount != len(partitions):
            raise PositionLost(f"generation {self.generation}: a position is not the expected one")

    async def reset(self, conn: psycopg.AsyncConnection[Any], partition: int, *, to: int) -> None:
        """Set one partition's position: the topic was recreated, and versions know what was seen already (F51)."""
        await conn.execute(
            "UPDATE projection_position SET next_offset = %s WHERE generation = %s AND topic = %s AND partition = %s",
            (to, self.generation, self.topic, partition),
        )
