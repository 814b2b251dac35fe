"""What an audit says: counts of what was compared, and differences; and how two ordered streams of rows are compared,
in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from booking_ops.invariants import difference

LISTED = 20  # differences printed per kind; the rest are counted
KEPT = 10_000  # per kind, for a baseline to know them by; the rest are counted too
_BATCH = 5000

Row = Mapping[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be: which invariant, what, and what mends it."""

    invariant: str
    what: str
    remedy: str = ""


@dataclass(slots=True)
class Section:
    """One comparison: its name, what was counted, what differed; `hidden` counts differences beyond those kept.

    `notices` are no differences: what a person should know although everything is as it should be. `accepted` are
    differences that a person has accepted (`baseline`).
    """

    name: str
    counts: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[Difference] = field(default_factory=list[Difference])
    hidden: int = 0
    notices: list[str] = field(default_factory=list[str])
    accepted: list[Difference] = field(default_factory=list[Difference])
    _kinds: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    @property
    def proven(self) -> bool:
        """Whether nothing differs but what was accepted."""
        return not self.differences and not self.hidden

    @property
    def differing(self) -> int:
        """How many differences there are, accepted ones apart."""
        return len(self.differences) + self.hidden

    def differ(self, invariant: str, what: str, remedy: str) -> None:
        """One more difference: kept, or counted once there are KEPT of its kind."""
        self._kinds[invariant, remedy] += 1
        if self._kinds[invariant, remedy] <= KEPT:
            self.differences.append(Difference(invariant, what, remedy))
        else:
            self.hidden += 1

    def listed(self) -> list[Difference]:
        """The first LISTED of each kind."""
        shown: Counter[tuple[str, str]] = Counter()
        found: list[Difference] = []
        for one in self.differences:
            shown[one.invariant, one.remedy] += 1
            if shown[one.invariant, one.remedy] <= LISTED:
                found.append(one)
        return found


async def rows(conn: psycopg.AsyncConnection[Any], name: str, query: Any, params: Any = None) -> AsyncIterator[Row]:
    """Yield a query's rows through a cursor of the server, so that the client holds one batch at a time."""
    async with conn.cursor(name=f"audit_{name}", row_factory=dict_row, withhold=True) as cursor:
        cursor.itersize = _BATCH
        await cursor.execute(query, params)
        async for row in cursor:
            yield row


async def fetch(conn: psycopg.AsyncConnection[Any], query: str, params: Mapping[str, Any]) -> list[Row]:
    """All rows of a query that has few."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), params)
        return list(await cursor.fetchall())


async def grouped(found: AsyncIterator[Row], key: str) -> AsyncIterator[tuple[Any, list[Row]]]:
    """The rows that come one after the other with the same value of `key`, and that value."""
    group: list[Row] = []
    async for row in found:
        if group and group[-1][key] != row[key]:
            yield group[-1][key], group
            group = []
        group.append(row)
    if group:
        yield group[-1][key], group


async def compare(
    section: Section, key: str, expected: AsyncIterator[Row], found: AsyncIterator[Row], *, invariant: str, remedy: str
) -> None:
    """Merge two ordered streams by `key`; name each row that is missing, too many, or differs, with the columns."""
    left, right = await anext(expected, None), await anext(found, None)
    while left is not None or right is not None:
        lowest = min(row[key] for row in (left, right) if row is not None)
        mine = left if left is not None and left[key] == lowest else None
        theirs = right if right is not None and right[key] == lowest else None
        if mine is not None and theirs is not None:
            section.counts["compared"] = section.counts.get("compared", 0) + 1
        if what := difference(mine, theirs):
            section.differ(invariant, f"{key} {lowest}: {what}", remedy)
        left = left if mine is None else await anext(expected, None)
        right = right if theirs is None else await anext(found, None)
