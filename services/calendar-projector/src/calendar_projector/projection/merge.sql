-- Merge patches into one slot, by itself or within a transaction that has moved the positions already.
-- A patch fits if its first version is the one after the row's and nothing of its session is held. An active generation
-- publishes each row that has ever been dated.
-- By itself ($11) it is one statement that commits by itself, all of it or nothing: a position that another copy has
-- moved, or a patch that does not fit, must end it by an error, so the last lines cast what they counted to a number
-- (22P02). In a transaction there are no positions, and whatever is not returned has to be looked at record by record.
-- Locks in one order everywhere: positions, rows, generation. The generation is locked, not just read: while this waited
-- for a switch its snapshot grew old, and it would not publish the rows that are shown by now.
-- $1, $2: generation, topic; $3 to $6: the positions' partitions, expected and next offsets, times of the last records;
-- $7: under which name records are held; $8: the topic of the marks; $9: the slot's name; $10: how many patches.
-- {slot}: the slot's table; {given}: the patches' columns as arrays; {changes}: of a row by its patch.
WITH reached AS (
    UPDATE projection_position p
    SET next_offset = u.next, last_timestamp_ms = u.timestamp_ms, updated_at = clock_timestamp()
    FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[]) AS u(partition, expected, next, timestamp_ms)
    WHERE p.generation = $1::int AND p.topic = $2::text AND p.partition = u.partition AND p.next_offset = u.expected
    RETURNING p.partition
), patch AS MATERIALIZED (
    SELECT p.* FROM {given}
    WHERE (SELECT count(*) FROM reached) = cardinality($3::int[])
      AND NOT EXISTS (SELECT FROM held h WHERE h.consumer = $7::text AND h.topic = $2::text
                                           AND h.key = p.session_id::text AND h.settled_at IS NULL)
), made AS (
    INSERT INTO {slot} (session_id, version, row_version, dated, schedule_version, changed_at, transaction_id, practitioner_id,
                        user_id, status, scheduled_date, time_start, time_end, timezone, starts_at, ends_at, meeting_link)
    SELECT session_id, last_version, last_version, dated, coalesce(schedule_version, 0), changed_at, transaction_id,
           practitioner_id, user_id, status, scheduled_date, time_start, time_end, timezone, starts_at, ends_at, meeting_link
    FROM patch WHERE first_version = 1
    ON CONFLICT (session_id) DO NOTHING
    RETURNING session_id, dated
), moved AS (
    UPDATE {slot} t SET {changes}, version = p.last_version
    FROM patch p
    WHERE t.session_id = p.session_id AND p.first_version > 1 AND t.version = p.first_version - 1
    RETURNING t.session_id, t.dated
), merged AS (
    SELECT * FROM made UNION ALL SELECT * FROM moved
), shown AS MATERIALIZED (
    SELECT state FROM generation WHERE slot = $9::text AND state <> 'discarded' AND (SELECT count(*) FROM merged) > 0
    FOR SHARE
), published AS (
    INSERT INTO outbox (topic, key)
    SELECT $8::text, session_id::text FROM merged WHERE dated AND (SELECT state = 'active' FROM shown)
    RETURNING topic
)
SELECT CASE WHEN count(*) = $10::int OR NOT $11::boolean THEN (SELECT count(*) FROM published)
            ELSE (count(*) || ' of ' || $10::int || ' sessions fit')::bigint END,
       string_agg(session_id::text, ',')
FROM merged
