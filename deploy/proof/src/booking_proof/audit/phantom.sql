SELECT r.id, r.subject, r.sequence
FROM (SELECT id, min(subject) AS subject, min(sequence) AS sequence FROM audit_record GROUP BY id) r
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = r.id AND e.type = ANY(%(types)s))
ORDER BY r.subject, r.sequence
