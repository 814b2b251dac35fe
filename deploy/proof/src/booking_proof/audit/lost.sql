-- Committed in this snapshot, not in the topic, and not marked as still to be sent.
SELECT e.id, e.stream_id, e.version
FROM events e
WHERE e.type = ANY(%(types)s)
  AND NOT EXISTS (SELECT 1 FROM audit_record r WHERE r.id = e.id)
  AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.position = e.position AND o.topic = %(topic)s)
ORDER BY e.position
