"""What the database refused, told in the domain's words: whose time is taken, which session was first."""

from typing import Any, LiteralString

from psycopg.rows import dict_row

from booking_store import Connection
from consultation.errors import AlreadyRequested, Clash, Overlapped, Party
from consultation.session.append import ONE_PER_ASSESSMENT, ONE_PER_TRANSACTION
from consultation.session.commands import Actor
from consultation.session.evolve import meeting_of
from consultation.session.state import Session

# The caller sees a session in the way only as its party; an admin sees any (E1, S4).
_CLASHES = """
SELECT c.person_id, s.id, lower(c.during) AS starts_at, upper(c.during) AS ends_at,
       (%(admin)s OR %(caller)s IN (s.practitioner_id, s.user_id)) AS visible
FROM time_claim c JOIN feedback_session s ON s.id = c.session_id
WHERE c.person_id = ANY(%(persons)s) AND c.session_id <> %(id)s AND c.during && tstzrange(%(from)s, %(to)s, '[)')
ORDER BY c.during, s.id
LIMIT 20
"""
_FIRST: dict[str, LiteralString] = {
    ONE_PER_TRANSACTION: "SELECT id, status = 'completed' AS used FROM feedback_session "
    "WHERE transaction_id = %(transaction_id)s AND status NOT IN ('canceled', 'failed')",
    ONE_PER_ASSESSMENT: "SELECT id, false AS used FROM feedback_session "
    "WHERE assessment_id = %(assessment_id)s AND status IN ('pending_negotiation', 'scheduled', 'on_progress')",
}


async def overlap_of(conn: Connection, state: Session, actor: Actor) -> Overlapped | None:
    """Who is taken at the time that `state` wants, and by what; None when nobody is any more."""
    about, meeting = state.about, meeting_of(state)
    assert meeting is not None
    rows = await _rows(
        conn,
        _CLASHES,
        {
            "id": about.session_id,
            "persons": [about.practitioner_id, about.user_id],
            "caller": actor.person_id,
            "admin": actor.role == "admin",
            "from": meeting.slot.starts_at,
            "to": meeting.slot.ends_at,
        },
    )
    if not rows:
        return None
    taken = {row["person_id"] for row in rows}
    party: Party = "practitioner" if about.practitioner_id in taken else "member"
    if len(taken) == 2:
        party = "both"
    seen = {row["id"]: Clash(row["id"], row["starts_at"], row["ends_at"]) for row in rows if row["visible"]}
    return Overlapped(party, tuple(seen.values()))


async def first_request(conn: Connection, code: str, state: Session) -> AlreadyRequested | None:
    """R2: the session that was there before; None when it has ended meanwhile."""
    about = state.about
    params = {"transaction_id": about.transaction_id, "assessment_id": about.assessment_id}
    rows = await _rows(conn, _FIRST[code], params)
    return AlreadyRequested(rows[0]["id"], used=rows[0]["used"]) if rows else None


async def _rows(conn: Connection, query: LiteralString, params: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()
