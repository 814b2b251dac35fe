SELECT id, stream_id, version
FROM (SELECT id, stream_id, version, row_number() OVER (PARTITION BY stream_id ORDER BY version) AS expected
      FROM events WHERE type = ANY(%(types)s)) v
WHERE version <> expected
ORDER BY stream_id, version
