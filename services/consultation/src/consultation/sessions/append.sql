-- Every command of a FeedbackSession, whatever it decided: events, marks, read row, text and claims in one statement,
-- one commit. The cast beside each parameter is the type it is sent as.
WITH erased AS MATERIALIZED (
    -- E4: nothing free is kept of an erased person, nor about an erased member. Asked before any row is locked, because it
    -- waits for an erasure under way, which locks rows of its own.
    SELECT %(text_id)s::uuid IS NOT NULL AND is_erased(ARRAY[%(author_id)s::uuid, %(user_id)s::uuid]) AS yes
),
guard AS (
    -- Only the request relies on another aggregate: a refund or reassignment that races it is write skew, which the row
    -- lock on the version seen ends both ways (test_request__racing_a_refund).
    SELECT 1 FROM erased, LATERAL (
        SELECT 1 FROM entitlement
        WHERE transaction_id = %(transaction_id)s::uuid AND version = %(entitlement_version)s::int FOR SHARE
    ) seen WHERE erased.yes IS NOT NULL
    UNION ALL
    SELECT 1 FROM erased WHERE erased.yes IS NOT NULL AND %(entitlement_version)s::int IS NULL
),
ik AS ({{idempotency}}),
ev AS ({{events}}),
ob AS ({{outbox}}),
written AS (SELECT max(version) AS version FROM ev HAVING max(version) IS NOT NULL),
tx AS (
    INSERT INTO session_text (id, session_id, author_id, text, link, recorded_at)
    SELECT %(text_id)s::uuid, %(stream_id)s::uuid, %(author_id)s::uuid, %(text)s::text, %(link)s::text,
           statement_timestamp()
    FROM written, erased
    WHERE %(text_id)s::uuid IS NOT NULL AND NOT erased.yes
    RETURNING text, link
),
rw AS (
    INSERT INTO feedback_session (
        id, practitioner_id, user_id, status, scheduled_date, time_start, time_end, meeting_link, result_link,
        transaction_id, assessment_id, kind, auto_start, requested_at, respond_by, timezone, ends_next_day, fold,
        fold_end, starts_at, ends_at, schedule_version, started_at, result_id, result_has_link, result_has_notes, result_notes,
        reason_code, reason_id, reason, ended_at, version, updated_at
    )
    SELECT %(stream_id)s::uuid, %(practitioner_id)s::uuid, %(user_id)s::uuid, %(status)s::text,
           %(scheduled_date)s::date, %(time_start)s::time, %(time_end)s::time, %(meeting_link)s::text,
           CASE WHEN %(text_id)s::uuid = %(result_id)s::uuid THEN (SELECT link FROM tx) END,
           %(transaction_id)s::uuid, %(assessment_id)s::uuid, %(kind)s::text, %(auto_start)s::boolean,
           %(occurred_at)s::timestamptz, %(respond_by)s::timestamptz, %(timezone)s::text, %(ends_next_day)s::boolean,
           %(fold)s::smallint, %(fold_end)s::smallint, %(starts_at)s::timestamptz, %(ends_at)s::timestamptz, %(schedule_version)s::int,
           %(started_at)s::timestamptz, %(result_id)s::uuid, %(result_has_link)s::boolean,
           %(result_has_notes)s::boolean,
           CASE WHEN %(text_id)s::uuid = %(result_id)s::uuid THEN (SELECT text FROM tx) END,
           %(reason_code)s::text, %(reason_id)s::uuid,
           CASE WHEN %(text_id)s::uuid = %(reason_id)s::uuid THEN (SELECT text FROM tx) END,
           %(ended_at)s::timestamptz, written.version, statement_timestamp()
    FROM written
    ON CONFLICT (id) DO UPDATE SET
        practitioner_id = excluded.practitioner_id, status = excluded.status,
        scheduled_date = excluded.scheduled_date, time_start = excluded.time_start, time_end = excluded.time_end,
        meeting_link = excluded.meeting_link, respond_by = excluded.respond_by, timezone = excluded.timezone,
        ends_next_day = excluded.ends_next_day, fold = excluded.fold, fold_end = excluded.fold_end,
        starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, schedule_version = excluded.schedule_version, started_at = excluded.started_at,
        result_id = excluded.result_id, result_has_link = excluded.result_has_link,
        result_has_notes = excluded.result_has_notes, result_link = excluded.result_link,
        result_notes = excluded.result_notes, reason_code = excluded.reason_code, reason_id = excluded.reason_id,
        reason = excluded.reason, ended_at = excluded.ended_at, version = excluded.version, updated_at = excluded.updated_at
),
-- S4: only the claims that change, and never both on one: sibling CTEs don't see each other's rows.
fr AS (
    DELETE FROM time_claim USING written
    WHERE session_id = %(stream_id)s::uuid AND person_id = ANY(%(freed)s::uuid[])
),
ho AS (
    INSERT INTO time_claim (session_id, person_id, during)
    SELECT %(stream_id)s::uuid, person, tstzrange(%(starts_at)s::timestamptz, %(ends_at)s::timestamptz, '[)')
    FROM (
        -- One after the other per person, everybody in the same order. EXCLUDE looks after it has inserted, so two that
        -- insert at once wait for each other: a deadlock, a second lost, and with many of them again and again (K33).
        SELECT person, pg_advisory_xact_lock(hashtextextended(person::text, 0)) FROM (
            SELECT person FROM unnest(%(claimed)s::uuid[]) AS person, written ORDER BY person
        ) sorted
    ) locked
    ON CONFLICT (session_id, person_id) DO UPDATE SET during = excluded.during -- its own old time never blocks it (S5)
)
-- 0: the guard failed; AppendSql raises GuardFailed and the handler decides again.
SELECT coalesce(max(version), 0) FROM written
