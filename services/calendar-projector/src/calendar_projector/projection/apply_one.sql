-- One record in its turn, after its version row was locked and moved (the careful way: gaps, held records, replays).
-- $1: the slot's name; $2: the topic of the marks; {slot}, {given} and {changes} as in merge.sql.
WITH moved AS (
    UPDATE {slot} t SET {changes}
    FROM {given} WHERE t.session_id = p.session_id
    RETURNING t.session_id, t.dated
), published AS (
    INSERT INTO outbox (topic, key)
    SELECT $2::text, session_id::text FROM moved
    WHERE dated AND (SELECT state = 'active' FROM generation WHERE slot = $1::text AND state <> 'discarded')
    RETURNING topic
)
SELECT (SELECT count(*) FROM published), string_agg(session_id::text, ',')
FROM moved
