"""The figures per practitioner and month: `practitioner_month`, the sum of what all sessions add."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from checkout.ranking import listing
from checkout.ranking.months import Months

REBUILD_LOCK = 0x72656275696C64  # "rebuild": shared by whoever adds, alone by the switch of a rebuild


async def add(
    conn: psycopg.AsyncConnection[Any], changes: Mapping[tuple[UUID, date], tuple[int, int]], months: Months
) -> None:
    """Add differences and bring the list up to date, within the caller's transaction."""
    if not changes:
        return
    ids = {practitioner for practitioner, _ in changes}
    await listing.lock(conn, ids)
    keys = list(changes)
    await conn.execute(
        "INSERT INTO practitioner_month AS f (practitioner_id, month, productivity, activity)"
        " SELECT * FROM unnest(%s::uuid[], %s::date[], %s::int[], %s::int[])"
        " ON CONFLICT (practitioner_id, month) DO UPDATE SET productivity = f.productivity + excluded.productivity,"
        " activity = f.activity + excluded.activity",
        [[k[0] for k in keys], [k[1] for k in keys], [changes[k][0] for k in keys], [changes[k][1] for k in keys]],
    )
    await listing.refresh(conn, ids, months)


async def hold_off_rebuild(conn: psycopg.AsyncConnection[Any]) -> None:
    """Let no rebuild switch while this transaction adds."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", [REBUILD_LOCK])
