"""Comparing two streams of rows that come in the order of their keys, in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from booking_local.audit.finding import Difference, Section

LISTED = 20  # differences printed per comparison; the rest are counted
_BATCH = 5000

Row = Mapping[str, Any]


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
            _differ(section, invariant, f"{key} {left and left[key]}: no row for it", remedy)
            left = await anext(expected, None)
        elif left is None or right[key] < left[key]:
            _differ(section, invariant, f"{key} {right[key]}: a row that nothing accounts for", remedy)
            right = await anext(found, None)
        else:
            section.counts["compared"] = section.counts.get("compared", 0) + 1
            wrong = [f"{c} is {right[c]!r}, should be {left[c]!r}" for c in left if right[c] != left[c]]
            if wrong:
                _differ(section, invariant, f"{key} {left[key]}: {'; '.join(wrong)}", remedy)
            left, right = await anext(expected, None), await anext(found, None)


def _differ(section: Section, invariant: str, what: str, remedy: str) -> None:
    if len(section.differences) < LISTED:
        section.differences.append(Difference(invariant, what, remedy))
    else:
        section.hidden += 1
