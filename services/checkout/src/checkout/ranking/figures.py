"""What checkout knows of sessions, one row each, the fold of its events; and the figures they add up to (L2, L3)."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from booking_contracts.decode import Decoded
from booking_contracts.sessions import ResultUploaded, SessionEvent
from booking_store import Connection
from checkout.ranking import listing
from checkout.ranking.listing import Months

Counts = Mapping[tuple[UUID, date], tuple[int, int]]
"""(practitioner, month) -> (productivity, activity)."""

LIVE, REBUILT = sql.Identifier("consulted_session"), sql.Identifier("consulted_session_rebuilt")


@dataclass(frozen=True, slots=True)
class Consulted:
    """A session as of `version`. `counts` is all that it ever added, so that a repeat is told from news."""

    session_id: UUID
    transaction_id: UUID
    practitioner_id: UUID
    status: str
    version: int
    has_result: bool = False
    counts: Counts = field(default_factory=dict)


def fold(row: Consulted | None, item: Decoded, months: Months) -> Consulted | None:
    """Return the session after one more record; what it had before is not counted again."""
    event, version = item.event, item.meta.sequence
    if not isinstance(event, SessionEvent) or version is None or (row and version <= row.version):
        return row
    before = row or Consulted(event.session_id, event.transaction_id, event.practitioner_id, event.status, 0)
    month = months.of(item.meta.time)
    counts = dict(before.counts)
    if item.meta.actor.startswith("practitioner:"):
        _add(counts, (UUID(item.meta.actor.partition(":")[2]), month), (0, 1))
    first_result = isinstance(event, ResultUploaded) and not before.has_result
    if first_result:
        _add(counts, (event.practitioner_id, month), (1, 0))
    return replace(
        before,
        practitioner_id=event.practitioner_id,
        status=event.status,
        version=version,
        has_result=before.has_result or first_result,
        counts=counts,
    )


def difference(before: Consulted | None, after: Consulted | None) -> dict[tuple[UUID, date], tuple[int, int]]:
    """Return what to add to the figures when a session's row changes so."""
    old: Counts = before.counts if before else {}
    new: Counts = after.counts if after else {}
    changes: dict[tuple[UUID, date], tuple[int, int]] = {}
    for key in {*old, *new}:
        was, now = old.get(key, (0, 0)), new.get(key, (0, 0))
        if was != now:
            changes[key] = (now[0] - was[0], now[1] - was[1])
    return changes


def _add(counts: dict[tuple[UUID, date], tuple[int, int]], key: tuple[UUID, date], more: tuple[int, int]) -> None:
    productivity, activity = counts.get(key, (0, 0))
    counts[key] = (productivity + more[0], activity + more[1])


async def load(conn: Connection, ids: Collection[UUID], table: sql.Identifier = LIVE) -> dict[UUID, Consulted]:
    """Return the rows of these sessions, as far as they are known."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(sql.SQL("SELECT * FROM {} WHERE session_id = ANY(%s)").format(table), [list(ids)])
    return {
        row["session_id"]: Consulted(**{**row, "counts": _counts(row["counts"])}) for row in await cursor.fetchall()
    }


async def save(conn: Connection, rows: Iterable[Consulted], table: sql.Identifier = LIVE) -> None:
    """Write rows whole; an older version never overwrites a newer one."""
    values = json.dumps([_json(row) for row in rows])
    statement = sql.SQL(
        "INSERT INTO {} AS s (session_id, transaction_id, practitioner_id, status, has_result, counts, version)"
        " SELECT session_id, transaction_id, practitioner_id, status, has_result, counts, version"
        " FROM jsonb_to_recordset(%s::jsonb) AS v (session_id uuid, transaction_id uuid, practitioner_id uuid,"
        " status text, has_result boolean, counts jsonb, version int) ON CONFLICT (session_id) DO UPDATE SET"
        " practitioner_id = excluded.practitioner_id, status = excluded.status, has_result = excluded.has_result,"
        " counts = excluded.counts, version = excluded.version WHERE s.version < excluded.version"
    )
    await conn.execute(statement.format(table), [values])


async def note_begun(
    conn: Connection, before: Mapping[UUID, Consulted], after: Mapping[UUID, Consulted], begun: Collection[str]
) -> None:
    """Tell the Transactions whose sessions began or ended whether one is `begun`: a reassignment relies on it (P2).

    Their rows are locked first and looked at afterwards: two sessions of one Transaction may come at the same time.
    """

    def has_begun(row: Consulted | None) -> bool:
        return row is not None and row.status in begun

    changed = {row.transaction_id for key, row in after.items() if has_begun(row) != has_begun(before.get(key))}
    if not changed:
        return
    await conn.execute("SELECT 1 FROM transaction WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(changed)])
    await conn.execute(
        "UPDATE transaction t SET session_begun = s.begun FROM ("
        " SELECT transaction_id, bool_or(status = ANY(%s)) AS begun FROM consulted_session"
        " WHERE transaction_id = ANY(%s) GROUP BY transaction_id"
        ") s WHERE t.id = s.transaction_id AND t.session_begun <> s.begun",
        [sorted(begun), sorted(changed)],
    )


async def status_of(conn: Connection, transaction_id: UUID) -> str | None:
    """Return what was consumed of this Transaction's sessions: a begun one's status before any other's (P2)."""
    found = await conn.execute(
        "SELECT status FROM consulted_session WHERE transaction_id = %s"
        " ORDER BY status IN ('on_progress', 'completed') DESC, session_id DESC LIMIT 1",
        [transaction_id],
    )
    row = await found.fetchone()
    return row[0] if row else None


def _json(row: Consulted) -> dict[str, Any]:
    counts: dict[str, dict[str, list[int]]] = {}
    for (practitioner, month), figures in row.counts.items():
        counts.setdefault(str(practitioner), {})[month.isoformat()] = list(figures)
    return {
        "session_id": str(row.session_id),
        "transaction_id": str(row.transaction_id),
        "practitioner_id": str(row.practitioner_id),
        "status": row.status,
        "has_result": row.has_result,
        "counts": counts,
        "version": row.version,
    }


def _counts(stored: Mapping[str, Mapping[str, list[int]]]) -> Counts:
    return {
        (UUID(practitioner), date.fromisoformat(month)): (figures[0], figures[1])
        for practitioner, of_months in stored.items()
        for month, figures in of_months.items()
    }


REBUILD_LOCK = 0x72656275696C64  # "rebuild": shared by whoever adds, alone by the switch of a rebuild


async def add(conn: Connection, changes: Mapping[tuple[UUID, date], tuple[int, int]], months: Months) -> None:
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


async def hold_off_rebuild(conn: Connection) -> None:
    """Let no rebuild switch while this transaction adds."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", [REBUILD_LOCK])
