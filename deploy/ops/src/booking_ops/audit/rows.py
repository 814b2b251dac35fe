"""What a service's rows say by themselves.

I6, I9: the read rows of the deciding services against the fold of their streams, and these as paths of their state
machines. The fold is the service's own: the very functions that wrote the row, applied to the stored events again.
I7, I8: nobody in two places, one session per purchase, by the rows and not by the constraints.
S1: sessions to come whose zone has other rules now than when they were set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
from psycopg import sql

import checkout.transactions.state
import checkout.transactions.store
import consultation.sessions.state
import consultation.sessions.store
from booking_contracts.decode import from_store
from booking_contracts.event import Event
from booking_contracts.zones import zone_named
from booking_ops.audit.section import LISTED, Progress, Row, Section, compare, grouped, rows
from booking_ops.invariants import HOLDS_TIME, Claim, next_status, overlaps, stray_claims, too_many

Recorded = tuple[Event, datetime]
Fold = Callable[[Iterable[Recorded]], Row]

_STREAMS = """
    SELECT stream_id, version, type, type_version, data::text AS data, occurred_at FROM events
    WHERE stream_type = %(stream_type)s ORDER BY stream_id, version"""
_EVENTS_OF = "SELECT count(*) FROM events WHERE stream_type = %(stream_type)s"


def session_row(events: Iterable[Recorded]) -> Row:
    state: Any = consultation.sessions.state.fold(cast("Any", event) for event, _ in events)
    return consultation.sessions.store.row(state)


def transaction_row(events: Iterable[Recorded]) -> Row:
    state: Any = checkout.transactions.state.fold(cast("Any", events))
    return checkout.transactions.store.read_row(state)


async def audit_fold(
    url: str, table: str, stream_type: str, fold: Fold, *, progress: Progress | None = None
) -> Section:
    """Compare every row of one read table with the fold of its stream, as of one snapshot."""
    section = Section(f"{table} = fold of its events")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn, conn.transaction():
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        section.counts["events"] = 0
        total: Any = await (await conn.execute(_EVENTS_OF, {"stream_type": stream_type})).fetchone()
        folded = _folded(conn, stream_type, fold, section, lambda done: progress and progress(done, total[0]))
        found = rows(conn, "found", sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(table)))
        await compare(section, "id", folded, found, invariant="I6", remedy="a defect: report it with the row")
    return section


async def _folded(
    conn: psycopg.AsyncConnection[Any], stream_type: str, fold: Fold, section: Section, seen: Callable[[int], object]
) -> AsyncIterator[Row]:
    async for stream_id, stored in grouped(rows(conn, "streams", _STREAMS, {"stream_type": stream_type}), "stream_id"):
        section.counts["events"] += len(stored)
        if section.counts["events"] % 1_000 < len(stored):
            seen(section.counts["events"])
        events = [(from_store(one["type"], one["type_version"], one["data"]), one["occurred_at"]) for one in stored]
        if fault := _off_the_path(stream_type, [event for event, _ in events]):
            section.differ("I9", f"stream {stream_id}: {fault}", "a defect: report it with the stream")
        try:
            yield {"id": stream_id, "version": stored[-1]["version"], **fold(events)}
        except Exception as broken:  # noqa: BLE001 - whatever the fold says of a stream is the finding
            section.differ("I9", f"stream {stream_id} cannot be folded: {broken}", "report it")


def _off_the_path(stream_type: str, events: Iterable[Event]) -> str | None:
    """The first step that its state machine doesn't have."""
    status: str | None = None
    for event in events:
        following = next_status(stream_type, status, event.TYPE, vars(event))
        if following is None:
            return f"{event.TYPE} from {status}"
        status = following
    return None


_HELD = sql.SQL("""
    SELECT s.id::text AS session, p.person::text AS person, s.starts_at, s.ends_at FROM feedback_session s
    CROSS JOIN LATERAL (VALUES (s.practitioner_id), (s.user_id)) AS p (person)
    WHERE s.status = ANY(%(holds)s)""")
_CLAIMED = sql.SQL("""
    SELECT session_id::text AS session, person_id::text AS person, lower(during) AS starts_at, upper(during) AS ends_at
    FROM time_claim""")
_BY_PERSON = sql.SQL("{} ORDER BY person, starts_at, session").format(_HELD)
_BOTH = sql.SQL("""SELECT true AS held, h.* FROM ({}) h
    UNION ALL SELECT false, c.* FROM ({}) c ORDER BY session""").format(_HELD, _CLAIMED)
_SHARING = sql.SQL("""
    SELECT {0} AS id, array_agg(status) AS statuses FROM feedback_session
    WHERE {0} IS NOT NULL GROUP BY {0} HAVING count(*) > 1 ORDER BY {0}""")
_HOW_MANY = "SELECT count(*) FROM feedback_session"
_TO_COME = b"""
SELECT id, scheduled_date, time_start, time_end, timezone, starts_at, ends_at
FROM feedback_session WHERE status IN ('scheduled', 'on_progress') ORDER BY starts_at, id
"""


async def audit_sessions(url: str) -> Section:
    """Look for overlaps, stray claims and double sessions in consultation's database."""
    section = Section("overlaps and double sessions")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for kind, faults in (
            ("I8 overlaps", _overlaps(conn)),
            ("I8 claims", _claims(conn)),
            ("I7 per transaction", _doubles(conn, "transaction_id", "transaction {} has {} sessions that count")),
            ("I7 per assessment", _doubles(conn, "assessment_id", "assessment {} has {} active sessions")),
        ):
            section.counts[kind] = 0
            async for what in faults:
                section.counts[kind] += 1
                section.differ(kind.partition(" ")[0], what, "a defect: keep the database")
        total: Any = await (await conn.execute(_HOW_MANY)).fetchone()
        section.counts["sessions"] = total[0]
    return section


async def _overlaps(conn: psycopg.AsyncConnection[Any]) -> AsyncIterator[str]:
    async for _, held in grouped(rows(conn, "overlaps", _BY_PERSON, {"holds": list(HOLDS_TIME)}), "person"):
        for one in overlaps(Claim(**row) for row in held):
            yield f"session {one.session} overlaps an earlier one of person {one.person} (before it: {one.other})"


async def _claims(conn: psycopg.AsyncConnection[Any]) -> AsyncIterator[str]:
    async for session, both in grouped(rows(conn, "claims", _BOTH, {"holds": list(HOLDS_TIME)}), "session"):
        held, claimed = ([_claim(row) for row in both if row["held"] is side] for side in (True, False))
        if any(stray_claims(held, claimed)):
            other = " of other persons or times" if len(held) == len(claimed) else ""
            yield f"session {session}: claims of {len(claimed)} persons, should be {len(held)}{other}"


def _claim(row: Row) -> Claim:
    return Claim(row["session"], row["person"], row["starts_at"], row["ends_at"])


async def _doubles(conn: psycopg.AsyncConnection[Any], shared: str, words: str) -> AsyncIterator[str]:
    async for row in rows(conn, shared, _SHARING.format(sql.Identifier(shared))):
        if count := too_many(shared, row["statuses"]):
            yield words.format(row["id"], count)


async def audit_zones(url: str) -> Section:
    """List, as notices, the sessions whose local times no longer read as they were written.

    Nothing is wrong with them: both local values and instants are what was decided, and the instants count.
    """
    section = Section("sessions = today's rules of their zones", counts={"sessions": 0, "changed": 0})
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        async for row in rows(conn, "zones", _TO_COME):
            section.counts["sessions"] += 1
            notice = changed(row)
            if notice is None:
                continue
            section.counts["changed"] += 1
            if len(section.notices) < LISTED:
                section.notices.append(notice)
    return section


def changed(row: Mapping[str, Any]) -> str | None:
    """What to say of a session whose instants read otherwise today than they were written; None if they don't."""
    text = f"session {row['id']}: set for {_wall(row)} in {row['timezone']}"
    zone = zone_named(row["timezone"])
    if zone is None:
        return f"{text}, which this release of tzdata doesn't have; it stays at {row['starts_at']:%Y-%m-%d %H:%M}Z"
    start, end = (row[name].astimezone(zone).replace(tzinfo=None) for name in ("starts_at", "ends_at"))
    written = datetime.combine(row["scheduled_date"], row["time_start"])
    ends = datetime.combine(row["scheduled_date"], row["time_end"])
    if start == written and end in (ends, ends + timedelta(days=1)):
        return None
    return f"{text}, by today's rules {start:%Y-%m-%d %H:%M} to {end:%H:%M}; ask its practitioner to set it anew"


def _wall(row: Mapping[str, Any]) -> str:
    return f"{row['scheduled_date']} {row['time_start']:%H:%M} to {row['time_end']:%H:%M}"
