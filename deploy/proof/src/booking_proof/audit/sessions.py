"""What the rows of sessions say by themselves: I7, I8 (nobody in two places, one session per purchase, by the rows and
not by the constraints), and S1, sessions to come whose zone has other rules now than when they were set."""
# ruff: noqa: E501  (SQL reads better with its lines whole)

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg

from booking_contracts.zones import zone_named
from booking_proof.audit.section import LISTED, Difference, Section, rows

_TO_COME = b"""
SELECT id, scheduled_date, time_start, time_end, timezone, starts_at, ends_at
FROM feedback_session WHERE status IN ('scheduled', 'on_progress') ORDER BY starts_at, id
"""
_CHECKS = {
    "I8 overlaps": """
        WITH held AS (
            SELECT s.id, p.person, s.starts_at, s.ends_at FROM feedback_session s
            CROSS JOIN LATERAL (VALUES (s.practitioner_id), (s.user_id)) AS p (person)
            WHERE s.status IN ('scheduled', 'on_progress')
        ), ordered AS (
            SELECT id, person, starts_at, max(ends_at) OVER before AS busy_until, lag(id) OVER (PARTITION BY person ORDER BY starts_at, id) AS other
            FROM held WINDOW before AS (PARTITION BY person ORDER BY starts_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )
        SELECT format('session %s overlaps an earlier one of person %s (before it: %s)', id, person, other)
        FROM ordered WHERE starts_at < busy_until""",
    "I8 claims": """
        SELECT format('session %s: claims of %s persons, should be %s', coalesce(s.id, c.session_id), coalesce(c.persons, 0),
                      coalesce(s.persons, 0))
        FROM (SELECT id, starts_at, ends_at, 2 AS persons FROM feedback_session WHERE status IN ('scheduled', 'on_progress')) s
        FULL JOIN (SELECT session_id, count(*) AS persons, min(lower(during)) AS starts_at, max(upper(during)) AS ends_at
                   FROM time_claim GROUP BY session_id) c ON c.session_id = s.id
        WHERE s.id IS NULL OR c.session_id IS NULL OR c.persons <> s.persons OR c.starts_at <> s.starts_at OR c.ends_at <> s.ends_at""",
    "I7 per transaction": """
        SELECT format('transaction %s has %s sessions that count', transaction_id, count(*)) FROM feedback_session
        WHERE status NOT IN ('canceled', 'failed') GROUP BY transaction_id HAVING count(*) > 1""",
    "I7 per assessment": """
        SELECT format('assessment %s has %s active sessions', assessment_id, count(*)) FROM feedback_session
        WHERE status IN ('pending_negotiation', 'scheduled', 'on_progress') AND assessment_id IS NOT NULL
        GROUP BY assessment_id HAVING count(*) > 1""",
}


async def audit_claims(url: str) -> Section:
    """Look for overlaps, stray claims and double sessions in consultation's database."""
    section = Section("overlaps and double sessions")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for name, query in _CHECKS.items():
            found: list[Any] = await (await conn.execute(query.encode())).fetchall()
            section.counts[name] = len(found)
            invariant = name.partition(" ")[0]
            section.differences += [
                Difference(invariant, what, "a defect: keep the database") for (what,) in found[:LISTED]
            ]
            section.hidden += max(0, len(found) - LISTED)
        total: Any = await (await conn.execute("SELECT count(*) FROM feedback_session")).fetchone()
        section.counts["sessions"] = total[0]
    return section


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
    told = f"session {row['id']}: set for {_wall(row)} in {row['timezone']}"
    zone = zone_named(row["timezone"])
    if zone is None:
        return f"{told}, which this release of tzdata doesn't have; it stays at {row['starts_at']:%Y-%m-%d %H:%M}Z"
    start, end = (row[name].astimezone(zone).replace(tzinfo=None) for name in ("starts_at", "ends_at"))
    written = datetime.combine(row["scheduled_date"], row["time_start"])
    ends = datetime.combine(row["scheduled_date"], row["time_end"])
    if start == written and end in (ends, ends + timedelta(days=1)):
        return None
    return f"{told}, by today's rules {start:%Y-%m-%d %H:%M} to {end:%H:%M}; ask its practitioner to set it anew"


def _wall(row: Mapping[str, Any]) -> str:
    return f"{row['scheduled_date']} {row['time_start']:%H:%M} to {row['time_end']:%H:%M}"
