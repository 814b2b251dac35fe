-- Only first appearances count: later copies are allowed anywhere. %(types)s is unused here but keeps the calls alike.
SELECT id, subject, sequence
FROM (SELECT id, subject, sequence, lag(sequence) OVER (PARTITION BY subject ORDER BY first) AS before
      FROM (SELECT id, subject, sequence, min(at) AS first FROM audit_record GROUP BY id, subject, sequence) f) o
WHERE sequence <> coalesce(before, 0) + 1 AND %(types)s::text[] IS NOT NULL
ORDER BY subject, sequence
