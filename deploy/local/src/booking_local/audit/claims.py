"""I7, I8: nobody in two places, one session per purchase, by the rows themselves and not by the constraints."""
# ruff: noqa: E501  (SQL reads better with its lines whole)

from __future__ import annotations

from typing import Any

import psycopg

from booking_local.audit.finding import Difference, Section
from booking_local.audit.rows import LISTED

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
