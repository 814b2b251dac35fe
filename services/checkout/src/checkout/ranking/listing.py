"""The rows of the list: `ranking` = profiles x tiers x listed months, with the figures of that month.

Two writers, profiles and session events, each see only their own change: an advisory lock per practitioner, taken in a
statement before, lets the second see the first's commit (else the list would keep a figure or a tier that is gone).
"""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from checkout.ranking.months import Months, before

_LOCK = 0x72616E6B  # "rank"

# Everything is computed from the tables it is made of, so doing it twice is doing it once.
_GONE = """
DELETE FROM ranking r USING unnest(%(ids)s::uuid[]) AS wanted (id)
WHERE r.practitioner_id = wanted.id AND NOT EXISTS (
    SELECT 1 FROM practitioner p WHERE p.id = r.practitioner_id AND p.active AND r.tier = ANY(p.tiers))
"""
_LISTED = """
INSERT INTO ranking AS r (month, tier, practitioner_id, productivity, activity, completeness)
SELECT m.month, t.tier, p.id, coalesce(f.productivity, 0), coalesce(f.activity, 0), p.completeness
FROM practitioner p
CROSS JOIN unnest(p.tiers) AS t (tier)
CROSS JOIN unnest(%(months)s::date[]) AS m (month)
LEFT JOIN practitioner_month f ON f.practitioner_id = p.id AND f.month = m.month
WHERE p.active AND p.id = ANY(%(ids)s::uuid[])
ON CONFLICT (practitioner_id, month, tier) DO UPDATE
SET productivity = excluded.productivity, activity = excluded.activity, completeness = excluded.completeness
WHERE (r.productivity, r.activity, r.completeness) IS DISTINCT FROM
      (excluded.productivity, excluded.activity, excluded.completeness)
"""


async def lock(conn: psycopg.AsyncConnection[Any], ids: Collection[UUID]) -> None:
    """Wait for other writers of these rows; held until the transaction ends. In one order, so no deadlock."""
    for practitioner_id in sorted(ids):
        key = practitioner_id.int & 0x7FFFFFFF
        await conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, key])


async def refresh(conn: psycopg.AsyncConnection[Any], ids: Collection[UUID], months: Months) -> None:
    """Bring the rows of these practitioners up to date, for the listed months; `lock` them first."""
    parameters = {"ids": list(ids), "months": list(months.listed)}
    await conn.execute(_GONE, parameters)
    await conn.execute(_LISTED, parameters)


async def refresh_all(conn: psycopg.AsyncConnection[Any], months: Months, *, batch: int = 1_000) -> int:
    """Bring everybody's rows up to date, a batch at a time in transactions of their own; return how many people."""
    last, done = UUID(int=0), 0
    while True:
        async with conn.transaction():
            found = await conn.execute("SELECT id FROM practitioner WHERE id > %s ORDER BY id LIMIT %s", [last, batch])
            ids = [row[0] for row in await found.fetchall()]
            if not ids:
                return done
            await lock(conn, ids)
            await refresh(conn, ids, months)
        last, done = ids[-1], done + len(ids)


async def forget(conn: psycopg.AsyncConnection[Any], months: Months) -> None:
    """Drop the rows of months that nobody is shown any more; the figures themselves stay.

    The month before last stays: who reads page after page over a month's turn reads its list to the end.
    """
    await conn.execute("DELETE FROM ranking WHERE month < %s", [before(months.last)])


async def prepared(conn: psycopg.AsyncConnection[Any], month: date) -> bool:
    """Whether everybody's rows of that month were made."""
    found = await conn.execute("SELECT 1 FROM ranking_month WHERE month = %s", [month])
    return await found.fetchone() is not None


async def prepare(conn: psycopg.AsyncConnection[Any], months: Months) -> None:
    """Make everybody's rows of the listed months, once; on an autocommit connection."""
    if await prepared(conn, months.listed[-1]):
        return
    await refresh_all(conn, months)
    for month in months.listed:
        await conn.execute("INSERT INTO ranking_month (month) VALUES (%s) ON CONFLICT DO NOTHING", [month])
    await forget(conn, months)
