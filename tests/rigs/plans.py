"""What a session keeps planned: no statement of a request may read a table from end to end.

A prepared statement keeps the plan that it got. On the empty tables of a fresh deployment that would be to read them
whole, for as long as autoanalyze hasn't come, while they grow.
"""

from collections.abc import Mapping
from typing import Any

import psycopg

OFTEN = 8
"""PostgreSQL keeps a plan from the sixth time on."""

_KEPT = (
    "SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements"
    " WHERE generic_plans > 0 AND statement ~* '^\\s*(--|with|select|insert|update|delete)'"
)
_PARTIAL = "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"


async def kept_plans(conn: psycopg.AsyncConnection[Any]) -> dict[str, list[str]]:
    """For each statement with a kept plan, by its text: the tables that the plan reads from end to end."""
    statements = await (await conn.execute(_KEPT)).fetchall()
    partial = {name for (name,) in await (await conn.execute(_PARTIAL)).fetchall()}
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    try:
        return {text: [*whole(await _plan(conn, name, parameters), partial)] for name, text, parameters in statements}
    finally:
        await conn.execute("RESET plan_cache_mode")


async def _plan(conn: psycopg.AsyncConnection[Any], name: str, parameters: int) -> Mapping[str, Any]:
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    found = await (await conn.execute(f'EXPLAIN (FORMAT JSON) EXECUTE "{name}"{values}'.encode())).fetchone()
    assert found is not None
    return found[0][0]["Plan"]


def whole(node: Mapping[str, Any], partial: set[str], *, limited: bool = False) -> list[str]:
    """What a plan reads whole: by a sequential scan, or by an index from its beginning to its end without a limit.

    The whole of a partial index is meant: it holds what is open, due or held.
    """
    found: list[str] = []
    if node["Node Type"] == "Seq Scan":
        found.append(node["Relation Name"])
    elif "Index Name" in node and not limited and "Index Cond" not in node and node["Index Name"] not in partial:
        found.append(node["Index Name"])
    for child in node.get("Plans", ()):
        found += whole(child, partial, limited=limited or node["Node Type"] == "Limit")
    return found
