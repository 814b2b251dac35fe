"""What of sessions goes to Kafka: their events, and each session as it is now.

The state record is the read row, and of the stream who caused the last event and when the session was over. No word of
people and no link is read here (E4): of the meeting's link the host alone leaves.
"""

from typing import LiteralString

from booking_contracts.topics import SESSION_STATES, SESSIONS
from booking_outbox import EventTopic, Published, StateTopic, instant

# LATERAL over an aggregate: one look at a stream by its index for each row, however many keys the planner expects.
_ROWS: LiteralString = f"""
SELECT s.id::text AS key, s.version::bigint AS version, stream.occurred_at, stream.metadata->>'actor' AS actor,
    stream.metadata->>'correlation_id' AS correlation_id, stream.last_id AS causation_id, stream.traceparent,
    json_strip_nulls(json_build_object(
        'session_id', s.id, 'transaction_id', s.transaction_id, 'user_id', s.user_id,
        'practitioner_id', s.practitioner_id, 'status', s.status, 'assessment_id', s.assessment_id, 'kind', s.kind,
        'auto_start', s.auto_start, 'requested_at', {instant("s.requested_at")},
        'respond_by', {instant("s.respond_by")}, 'schedule_version', s.schedule_version,
        'scheduled_date', s.scheduled_date, 'time_start', to_char(s.time_start, 'HH24:MI'),
        'time_end', to_char(s.time_end, 'HH24:MI'), 'timezone', s.timezone, 'ends_next_day', s.ends_next_day,
        'fold', s.fold, 'fold_end', s.fold_end, 'starts_at', {instant("s.starts_at")},
        'ends_at', {instant("s.ends_at")}, 'meeting_host', split_part(s.meeting_link, '/', 3),
        'started_at', {instant("s.started_at")}, 'ended_at', {instant("s.ended_at")},
        'closed_at', {instant("stream.closed_at")}, 'result_id', s.result_id, 'has_link', s.result_has_link,
        'has_notes', s.result_has_notes, 'reason_code', s.reason_code
    ))::text AS value
FROM feedback_session s CROSS JOIN LATERAL (
    SELECT max(occurred_at) FILTER (WHERE version = s.version) AS occurred_at,
        (max(metadata::text) FILTER (WHERE version = s.version))::json AS metadata,
        max(id::text) FILTER (WHERE version = s.version) AS last_id,
        max(traceparent) FILTER (WHERE version = s.version) AS traceparent,
        min(occurred_at) FILTER (WHERE type IN ('ResultUploaded', 'SessionCanceled', 'SessionFailed')) AS closed_at
    FROM events WHERE stream_id = s.id
) stream
WHERE s.id = ANY(%(keys)s::text[]::uuid[])
"""  # noqa: S608 - constants

STATES = StateTopic(SESSION_STATES, _ROWS, all_keys="SELECT id::text AS key FROM feedback_session")

PUBLISHED: tuple[Published, ...] = (EventTopic(SESSIONS, states=SESSION_STATES), STATES)
