-- What the generation that is shown ({old}) and the one that was built ({new}) do not have in common, kept for the statements
-- that follow in this transaction. A pair is comparable when both have seen the same events; at equal positions all are.
CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
SELECT *, CASE WHEN old_version IS NULL THEN 'only_new' WHEN new_version IS NULL THEN 'only_old'
               WHEN old_version <> new_version THEN 'at_another_version' WHEN differs THEN 'different'
               ELSE 'row_version' END AS kind
FROM (
    SELECT coalesce(o.session_id, n.session_id) AS session_id, o.version AS old_version, n.version AS new_version,
           o.row_version AS old_row_version, n.row_version AS new_row_version,
           coalesce(o.dated, false) OR coalesce(n.dated, false) AS published,
           (o.dated, o.schedule_version, o.changed_at, o.transaction_id, o.practitioner_id, o.user_id, o.status,
            o.scheduled_date, o.time_start, o.time_end, o.timezone, o.starts_at, o.ends_at, o.meeting_link)
           IS DISTINCT FROM
           (n.dated, n.schedule_version, n.changed_at, n.transaction_id, n.practitioner_id, n.user_id, n.status,
            n.scheduled_date, n.time_start, n.time_end, n.timezone, n.starts_at, n.ends_at, n.meeting_link) AS differs
    FROM (SELECT * FROM {old} WHERE version > 0) o FULL JOIN (SELECT * FROM {new} WHERE version > 0) n USING (session_id)
) pair
WHERE differs OR old_version IS DISTINCT FROM new_version OR old_row_version > new_row_version
