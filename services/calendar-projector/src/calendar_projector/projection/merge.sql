-- Merge patches into one slot. {slot}: the slot's table; {patches}: where they come from, AS p; {changes}: of a row by p.
-- A patch is merged only if its first version is the one after the row's and nothing of its session is held; whatever is
-- not returned has to be looked at record by record. An active generation publishes each row that has ever been dated.
WITH patch AS MATERIALIZED (
    SELECT p.* FROM {patches}
    WHERE NOT EXISTS (SELECT FROM held h WHERE h.consumer = %(consumer)s AND h.topic = %(topic)s
                                           AND h.key = p.session_id::text AND h.settled_at IS NULL)
), made AS (
    INSERT INTO {slot} (session_id, version, row_version, dated, schedule_version, changed_at, transaction_id, practitioner_id,
                        user_id, status, scheduled_date, time_start, time_end, timezone, starts_at, ends_at, meeting_link)
    SELECT session_id, last_version, last_version, dated, coalesce(schedule_version, 0), changed_at, transaction_id,
           practitioner_id, user_id, status, scheduled_date, time_start, time_end, timezone, starts_at, ends_at, meeting_link
    FROM patch WHERE first_version = 1
    ON CONFLICT (session_id) DO NOTHING
    RETURNING session_id, practitioner_id, user_id, dated
), moved AS (
    UPDATE {slot} t SET {changes}, version = p.last_version
    FROM patch p
    WHERE t.session_id = p.session_id AND p.first_version > 1 AND t.version = p.first_version - 1
    RETURNING t.session_id, t.practitioner_id, t.user_id, t.dated
), merged AS (
    SELECT * FROM made UNION ALL SELECT * FROM moved
), published AS (
    INSERT INTO outbox (topic, key)
    SELECT %(publish_to)s, session_id::text FROM merged
    WHERE dated AND (SELECT state = 'active' FROM generation WHERE slot = %(slot)s AND state <> 'discarded')
    RETURNING 1
)
SELECT session_id::text, practitioner_id::text, user_id::text, (SELECT count(*) FROM published) FROM merged
