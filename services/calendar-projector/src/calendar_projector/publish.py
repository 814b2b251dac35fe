"""What is published: the row of each session that has ever been dated, as it is now, without its meeting link."""

from booking_contracts.topics import USER_SCHEDULE
from booking_outbox import StateTopic

# A row that lost its date by a rebuild is a tombstone; one of a session this release never read cannot be marked.
_ROWS = """
SELECT session_id::text AS key, row_version AS version, changed_at AS occurred_at,
       'service:calendar-projector' AS actor,
       CASE WHEN dated THEN json_strip_nulls(json_build_object(
           'session_id', session_id, 'transaction_id', transaction_id, 'practitioner_id', practitioner_id,
           'user_id', user_id, 'status', status, 'scheduled_date', scheduled_date,
           'time_start', to_char(time_start, 'HH24:MI'), 'time_end', to_char(time_end, 'HH24:MI'), 'timezone', timezone,
           'starts_at', to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'ends_at', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'schedule_version', schedule_version
       ))::text END AS value
FROM session_calendar
"""

ROWS = StateTopic(
    USER_SCHEDULE,
    query=_ROWS + "WHERE session_id = ANY(%(keys)s::text[]::uuid[])",
    all_keys="SELECT session_id::text AS key FROM session_calendar WHERE dated",
)
