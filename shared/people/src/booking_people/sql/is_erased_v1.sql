-- Whether one of these people is erased; waits for an erasure under way. An append asks it whenever it keeps words (E4).
-- Volatile, so that it looks anew after it has waited: the calling statement began before the erasure was committed.
CREATE FUNCTION is_erased(persons uuid[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('erase:' || person, 0))
    FROM (SELECT person FROM unnest(persons) AS person WHERE person IS NOT NULL ORDER BY person) sorted;
    RETURN EXISTS (SELECT 1 FROM {erased} WHERE person_id = ANY(persons));
END
$$
