-- PersonErased: the event and its mark. Everything else of an erasure is in the same transaction.
WITH guard AS (SELECT 1),
ik AS ({{idempotency}}),
ev AS ({{events}}),
ob AS ({{outbox}})
SELECT coalesce(max(version), 0) FROM ev
