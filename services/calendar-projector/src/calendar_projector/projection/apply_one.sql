-- One record in its turn, after its version row was locked and moved (the careful way: gaps, held records, replays).
WITH moved AS (
    UPDATE {slot} t SET {changes}
    FROM {patches} WHERE t.session_id = p.session_id
    RETURNING t.session_id, t.practitioner_id, t.user_id, t.dated
), published AS (
    INSERT INTO outbox (topic, key)
    SELECT %(publish_to)s, session_id::text FROM moved
    WHERE dated AND (SELECT state = 'active' FROM generation WHERE slot = %(slot)s AND state <> 'discarded')
    RETURNING 1
)
SELECT session_id::text, practitioner_id::text, user_id::text, (SELECT count(*) FROM published) FROM moved
