"""What an audit says: counts of what was compared, and differences; and how two ordered streams of rows are compared,
in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

LISTED = 20  # differences printed per kind; the rest are counted
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
    """One comparison: its name, what was counted, what differed; `hidden` counts differences beyond the listed ones.

    `notices` are no differences: what a person should know although everything is as it should be.
    """

    name: str
    counts: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[Difference] = field(default_factory=list[Difference])
    hidden: int = 0
    notices: list[str] = field(default_factory=list[str])

    @property
    def proven(self) -> bool:
        """Return whether everything compared equal."""
        return not self.differences and not self.hidden

    def differ(self, invariant: str, what: str, remedy: str) -> None:
        """One more difference: listed, or counted once there are LISTED."""
        if len(self.differences) < LISTED:
            self.differences.append(Difference(invariant, what, remedy))
        else:
            self.hidden += 1


async def rows(conn: psycopg.AsyncConnection[Any], name: str, query: Any, params: Any = None) -> AsyncIterator[Row]:
    """Yield a query's rows through a cursor of the server, so that the client holds one batch at a time."""
    async with conn.cursor(name=f"audit_{name}", row_factory=dict_row, withhold=True) as cursor:
        cursor.itersize = _BATCH
        await cursor.execute(query, params)
        async for row in cursor:
            yield row


async def compare(
    section: Section, key: str, expected: AsyncIterator[Row], found: AsyncIterator[Row], *, invariant: str, remedy: str
) -> None:
    """Merge two ordered streams by `key`; name each row that is missing, too many, or differs, with the columns."""
    left, right = await anext(expected, None), await anext(found, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[key] < right[key]):
            section.differ(invariant, f"{key} {left and left[key]}: no row for it", remedy)
            left = await anext(expected, None)
        elif left is None or right[key] < left[key]:
            section.differ(invariant, f"{key} {right[key]}: a row that nothing accounts for", remedy)
            right = await anext(found, None)
        else:
            section.counts["compared"] = section.counts.get("compared", 0) + 1
            wrong = [f"{c} is {right[c]!r}, should be {left[c]!r}" for c in left if right[c] != left[c]]
            if wrong:
                section.differ(invariant, f"{key} {left[key]}: {'; '.join(wrong)}", remedy)
            left, right = await anext(expected, None), await anext(found, None)
