-- Every command of a Transaction, whatever it decided: events, marks, read row, reviews, refunds and free text in one
-- statement, one commit. The cast beside each parameter is the type it is sent as.
WITH room AS (
    -- Only a new Transaction needs room. ON CONFLICT sees the counter's newest version, so twenty at once stay twenty.
    INSERT INTO unpaid AS mine (user_id, open)
    SELECT %(user_id)s::uuid, 1 WHERE %(opens)s::boolean
    ON CONFLICT (user_id) DO UPDATE SET open = mine.open + 1 WHERE mine.open < %(most_unpaid)s::int
    RETURNING 1
),
guard AS (
    SELECT 1 FROM room
    UNION ALL
    -- P2: a reassignment relies on a session that has not begun, which the sessions topic decides. The row lock ends that
    -- write skew both ways: a consumer that is just noting the beginning is waited for and its word read; one that comes
    -- later waits, and sees the new pair.
    SELECT 1 FROM (
        SELECT 1 FROM transaction WHERE id = %(stream_id)s::uuid AND NOT session_begun FOR NO KEY UPDATE
    ) unbegun WHERE %(relies_on_unbegun)s::boolean
    UNION ALL
    SELECT 1 WHERE NOT %(opens)s::boolean AND NOT %(relies_on_unbegun)s::boolean
),
ik AS ({{idempotency}}),
ev AS ({{events}}),
ob AS ({{outbox}}),
written AS (SELECT max(version) AS version FROM ev HAVING max(version) IS NOT NULL),
rw AS (
    INSERT INTO transaction AS t (id, user_id, practitioner_id, status, product_id, product_name, kind, tier, duration_minutes,
        amount, currency, provider, reference, expires_at, request_limit_minutes, auto_start, paid_at,
        refund_id, refund_status, refund_amount, refund_requested_at, refund_settled_at, created_at, version)
    SELECT %(stream_id)s::uuid, %(user_id)s::uuid, %(practitioner_id)s::uuid, %(status)s::text, %(product_id)s::uuid,
        %(product_name)s::text, %(kind)s::text, %(tier)s::text, %(duration_minutes)s::int, %(amount)s::bigint,
        %(currency)s::text, %(provider)s::text, %(reference)s::text, %(expires_at)s::timestamptz,
        %(request_limit_minutes)s::int, %(auto_start)s::boolean, %(paid_at)s::timestamptz, %(refund_id)s::uuid,
        %(refund_status)s::text, %(refund_amount)s::bigint, %(refund_requested_at)s::timestamptz,
        %(refund_settled_at)s::timestamptz, %(created_at)s::timestamptz, written.version
    FROM written
    ON CONFLICT (id) DO UPDATE SET
        practitioner_id = excluded.practitioner_id, status = excluded.status, paid_at = excluded.paid_at,
        refund_id = excluded.refund_id, refund_status = excluded.refund_status, refund_amount = excluded.refund_amount,
        refund_requested_at = excluded.refund_requested_at, refund_settled_at = excluded.refund_settled_at,
        version = excluded.version
),
left_room AS (
    UPDATE unpaid SET open = open - 1 FROM written WHERE user_id = %(user_id)s::uuid AND %(closes)s::boolean
),
ps AS (
    INSERT INTO payment_session (transaction_id, provider, return_url, next_attempt_at, check_at)
    SELECT %(stream_id)s::uuid, %(provider)s::text, %(return_url)s::text, %(page_at)s::timestamptz, %(expires_at)s::timestamptz
    FROM written WHERE %(opens)s::boolean
),
ps_over AS (
    -- Nobody needs a page to pay on any more.
    UPDATE payment_session SET next_attempt_at = NULL, return_url = NULL
    FROM written WHERE transaction_id = %(stream_id)s::uuid AND %(closes)s::boolean AND next_attempt_at IS NOT NULL
),
ft AS (
    -- E4: nothing free is kept of an erased person, nor about an erased member; `is_erased` waits for an erasure under way.
    INSERT INTO free_text (id, transaction_id, author_id, text)
    SELECT %(text_id)s::uuid, %(stream_id)s::uuid, %(author_id)s::uuid, %(text)s::text
    FROM written
    WHERE CASE WHEN %(text)s::text IS NULL THEN false
          ELSE NOT is_erased(ARRAY[%(author_id)s::uuid, %(user_id)s::uuid]) END
),
rv AS (
    INSERT INTO payment_review AS r (id, transaction_id, reference, provider, payment_id, received_amount, received_currency,
        expected_amount, expected_currency, direction, returned_amount, refundable_amount, cause, state, outcome, created_at)
    SELECT v.id, %(stream_id)s::uuid, %(reference)s::text, v.provider, v.payment_id, v.amount, v.currency,
        %(amount)s::bigint, %(currency)s::text, v.direction, v.returned, v.refundable, v.cause, v.state, v.outcome, v.created_at
    FROM written, jsonb_to_recordset(%(reviews)s::jsonb) AS v (id uuid, provider text, payment_id text, amount bigint,
        currency text, direction text, returned bigint, refundable bigint, cause text, state text, outcome text,
        created_at timestamptz)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, outcome = excluded.outcome, direction = excluded.direction,
        returned_amount = excluded.returned_amount, refundable_amount = excluded.refundable_amount, version = r.version + 1
),
rq AS (
    INSERT INTO refund (id, transaction_id, review_id, provider, reference, payment_id, amount, currency, status,
        requested_at, next_attempt_at)
    SELECT f.id, %(stream_id)s::uuid, f.review_id, f.provider, %(reference)s::text, f.payment_id, f.amount, f.currency,
        'requested', %(occurred_at)s::timestamptz, %(occurred_at)s::timestamptz
    FROM written, jsonb_to_recordset(%(refunds_requested)s::jsonb) AS f (id uuid, review_id uuid, provider text,
        payment_id text, amount bigint, currency text)
),
rs AS (
    UPDATE refund SET status = f.status, code = f.code, settled_at = %(occurred_at)s::timestamptz
    FROM written, jsonb_to_recordset(%(refunds_settled)s::jsonb) AS f (id uuid, status text, code text)
    -- The array: of a join with a set whose size it can't know PostgreSQL makes one that reads all refunds.
    WHERE refund.id = f.id AND refund.id = ANY (ARRAY(
        SELECT (settled ->> 'id')::uuid FROM jsonb_array_elements(%(refunds_settled)s::jsonb) settled))
)
-- 0: the guard failed; AppendSql raises GuardFailed and the handler decides what that means.
SELECT coalesce(max(version), 0) FROM written
