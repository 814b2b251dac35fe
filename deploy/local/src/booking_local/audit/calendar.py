"""I6, C1, C2: `user_schedule` against the sessions that ever had a date."""

from __future__ import annotations

import psycopg

from booking_local.audit.finding import Section
from booking_local.audit.rows import compare, rows

# Canceled and failed sessions keep their date; after a change of practitioner the row stays, without a start.
_EXPECTED = """
    SELECT id AS session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end,
           timezone, starts_at, ends_at, meeting_link, schedule_version
    FROM feedback_session s
    WHERE EXISTS (SELECT 1 FROM events e WHERE e.stream_id = s.id AND e.type = 'SessionScheduled')
    ORDER BY id"""
_FOUND = """
    SELECT session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end,
           timezone, starts_at, ends_at, meeting_link, schedule_version
    FROM user_schedule ORDER BY session_id"""


async def audit_calendar(calendar_url: str, consultation_url: str) -> Section:
    """Compare the calendar's rows with consultation's, which `folds` compares with their events."""
    section = Section("user_schedule = sessions that ever had a date")
    async with (
        await psycopg.AsyncConnection.connect(calendar_url, autocommit=True) as calendar,
        await psycopg.AsyncConnection.connect(consultation_url, autocommit=True) as consultation,
    ):
        expected, found = rows(consultation, "expected", _EXPECTED), rows(calendar, "schedule", _FOUND)
        await compare(section, "session_id", expected, found, invariant="I6", remedy="booking calendar rebuild")
    return section
