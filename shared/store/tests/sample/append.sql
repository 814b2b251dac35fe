-- Every command of the sample session, whatever it decided: events, mark, read row and claims in one statement, one commit.
-- Write a cast beside every parameter: they travel as text, and the cast is their type.
WITH guard AS (
    -- Only the request relies on another aggregate; FOR SHARE holds off the refund that would change it (write skew).
    SELECT 1 FROM (
        SELECT 1 FROM entitlement
        WHERE transaction_id = %(guard_transaction_id)s::uuid AND version = %(guard_version)s::int FOR SHARE
    ) seen
    UNION ALL
    SELECT 1 WHERE %(guard_transaction_id)s::uuid IS NULL
),
ik AS ({{idempotency}}),
ev AS ({{events}}),
ob AS ({{outbox}}),
rw AS (
    INSERT INTO sample_session (id, transaction_id, status, version, starts_at, ends_at, updated_at)
    SELECT %(stream_id)s::uuid, %(transaction_id)s::uuid, %(status)s::text, version,
           %(starts_at)s::timestamptz, %(ends_at)s::timestamptz, statement_timestamp()
    FROM ev ORDER BY version DESC LIMIT 1
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, version = excluded.version, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, updated_at = excluded.updated_at
),
-- Free the claims or hold them, never both on one claim: sibling CTEs don't see each other's rows.
fr AS (
    DELETE FROM time_claim USING (SELECT 1 FROM ev LIMIT 1) written
    WHERE session_id = %(stream_id)s::uuid AND NOT %(holds_time)s::boolean
),
ho AS (
    INSERT INTO time_claim (session_id, person_id, during)
    SELECT %(stream_id)s::uuid, person, tstzrange(%(starts_at)s::timestamptz, %(ends_at)s::timestamptz, '[)')
    FROM (
        -- One after the other per person, everybody in the same order. EXCLUDE looks after it has inserted, so two that insert
        -- at once wait for each other: a deadlock, a second lost, and with many of them again and again (K33).
        SELECT person, pg_advisory_xact_lock(hashtextextended(person::text, 0)) FROM (
            SELECT person FROM unnest(%(persons)s::uuid[]) AS person, (SELECT 1 FROM ev LIMIT 1) written
            WHERE %(holds_time)s::boolean ORDER BY person
        ) sorted
    ) locked
    ON CONFLICT (session_id, person_id) DO UPDATE SET during = excluded.during
)
-- 0: the guard failed; AppendSql raises GuardFailed and the handler decides again.
SELECT coalesce(max(version), 0) FROM ev
