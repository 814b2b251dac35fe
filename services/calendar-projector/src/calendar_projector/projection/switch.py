"""The switch: the built generation is shown instead of the old one, in one transaction.

It locks the positions of both, so no row of either moves meanwhile, and goes on only if the new one is nowhere behind the
old. Rows are compared at equal positions; differences are reported and published, they never block: a rebuild exists to
end them.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg

from booking_contracts.topics import USER_SCHEDULE
from calendar_projector.projection.generations import Generation

_POSITIONS = """
SELECT generation, topic, partition, next_offset FROM projection_position
WHERE generation = ANY(%s) ORDER BY generation, topic, partition FOR UPDATE
"""

_SAMPLE = 50


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing was switched: the new generation is behind in `behind` partitions, or ahead in `ahead`."""

    behind: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Switched:
    """The new generation is shown; what the comparison found."""

    comparison: dict[str, Any]


async def switch(
    conn: psycopg.AsyncConnection[Any], old: Generation, new: Generation, *, insist_on_equal: bool
) -> NotYet | Switched:
    """Show `new` instead of `old`. Within a transaction.

    With `insist_on_equal` only at equal positions, where every row is comparable; without, also when `new` is ahead.
    """
    await conn.execute("SELECT set_config('statement_timeout', '0', true)")  # as long as the comparison takes
    positions = await (await conn.execute(_POSITIONS, ([old.id, new.id],))).fetchall()
    states = await (
        await conn.execute("SELECT id, state FROM generation WHERE id = ANY(%s) FOR UPDATE", ([old.id, new.id],))
    ).fetchall()
    if dict(states) != {old.id: "active", new.id: "building"}:
        return NotYet(0, 0)  # another worker was faster
    behind, ahead = _distance(positions, old.id, new.id)
    if behind or (ahead and insist_on_equal):
        return NotYet(behind, ahead)
    comparison = await _compare(conn, old, new, equal=not ahead)
    await _carry_over(conn, old, new)
    await conn.execute("UPDATE generation SET state = 'retired' WHERE id = %s", (old.id,))
    await conn.execute(
        "UPDATE generation SET state = 'active', switched_at = now(), comparison = %s WHERE id = %s",
        (json.dumps(comparison), new.id),
    )
    return Switched(comparison)


def _distance(positions: list[tuple[int, str, int, int]], old: int, new: int) -> tuple[int, int]:
    reached = {(topic, partition): offset for generation, topic, partition, offset in positions if generation == new}
    gaps = [reached.get((topic, p), 0) - offset for generation, topic, p, offset in positions if generation == old]
    return sum(gap < 0 for gap in gaps), sum(gap > 0 for gap in gaps)


async def _compare(
    conn: psycopg.AsyncConnection[Any], old: Generation, new: Generation, *, equal: bool
) -> dict[str, Any]:
    sql = _pairs(old.place.table, new.place.table) + (
        "SELECT (SELECT count(*) FROM pair), (SELECT count(*) FILTER (WHERE comparable) FROM pair),"
        " (SELECT coalesce(json_object_agg(kind, n), '{}') FROM (SELECT kind, count(*) AS n FROM odd GROUP BY kind) k),"
        f" (SELECT coalesce(json_agg(s), '[]') FROM (SELECT session_id, kind FROM odd LIMIT {_SAMPLE}) s)"
    )
    row = await (await conn.execute(sql.encode())).fetchone()
    assert row is not None
    rows, comparable, kinds, sample = row
    return {"equal_positions": equal, "rows": rows, "comparable": comparable, "differences": kinds, "sample": sample}


async def _carry_over(conn: psycopg.AsyncConnection[Any], old: Generation, new: Generation) -> None:
    """Publish what differs, and let no row's version restart: the topic's readers ignore a lower or equal one."""
    pairs = _pairs(old.place.table, new.place.table)
    await conn.execute(
        (
            pairs + "INSERT INTO outbox (topic, key) SELECT %s, session_id::text FROM odd WHERE published AND differs"
        ).encode(),
        (USER_SCHEDULE.name,),
    )
    # A row that only the old one has becomes one without a date: published as a tombstone.
    await conn.execute(
        (
            pairs + f"INSERT INTO {new.place.table} (session_id, version, row_version)"
            f" SELECT session_id, 0, row_version + 1 FROM odd JOIN {old.place.table} o USING (session_id)"
            " WHERE kind = 'only_old' ON CONFLICT (session_id) DO NOTHING"
        ).encode()
    )
    await conn.execute(
        (
            pairs + f"UPDATE {new.place.table} n SET row_version = greatest(o.row_version, n.row_version)"
            f" + CASE WHEN pair.differs THEN 1 ELSE 0 END FROM pair JOIN {old.place.table} o USING (session_id)"
            " WHERE n.session_id = pair.session_id AND (pair.differs OR o.row_version > n.row_version)"
        ).encode()
    )


@cache
def _pairs(old: str, new: str) -> str:
    text = (files("calendar_projector") / "projection" / "compare.sql").read_text("utf-8")
    return text.replace("{old}", old).replace("{new}", new)
