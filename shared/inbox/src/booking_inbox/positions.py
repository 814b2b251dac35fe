"""A read model's own positions, kept beside its rows in PostgreSQL instead of in Kafka."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg


@dataclass(frozen=True, slots=True)
class Move:
    """One partition's step: its stored position is `expected` and becomes `next` (the offset to read next)."""

    topic: str
    partition: int
    expected: int
    next: int


class Positions(Protocol):
    """Where a read model keeps its place. Topics by their logical names."""

    async def start(self, partitions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The stored position of each partition just assigned; one that is missing starts at offset 0."""
        ...

    async def advance(self, conn: psycopg.AsyncConnection, moves: Sequence[Move]) -> None:
        """Store the positions in the transaction of the rows, by compare-and-set.

        Raise PositionLost when a stored position is not the expected one: another copy owns the partition now, the
        whole transaction rolls back, and this one seeks to what is stored.
        """
        ...
