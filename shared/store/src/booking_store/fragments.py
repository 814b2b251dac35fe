"""The three parts that are the same in every append.sql, written there as ``{{idempotency}}``, ``{{events}}``,
``{{outbox}}``.

They name the CTEs of the canonical shape: ``guard`` (always there; ``SELECT 1`` when there is nothing to guard),
``ik``, ``ev``.
"""

# Everything hangs on this row: were the events tried first, the twin of a success would meet the version or overlap
# constraint and be answered a conflict instead of the success (test_append__the_twin_of_a_success_is_told_so).
_WITH_KEY = """
    INSERT INTO idempotency (sub, operation, key, sha, status, object_id, version, created_at)
    SELECT %(ik_sub)s::text, %(ik_operation)s::text, %(ik_key)s::text, %(ik_sha)s::bytea, %(ik_status)s::smallint,
           %(ik_object_id)s::uuid, %(ik_version)s::int, statement_timestamp()
    FROM guard RETURNING 1"""

_WITHOUT_KEY = "SELECT 1 FROM guard"

# The join on the version before: an expected version that isn't in the stream writes nothing (no hole, I3), and
# recorded_at is never before its predecessor's, even when the server's clock was set back (as_of reads a prefix).
_EVENTS = """
    INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data,
                        actor, causation_id, correlation_id, traceparent, occurred_at, recorded_at)
    SELECT %(stream_type)s::text, %(stream_id)s::uuid, %(expected)s::int + u.o::int,
           u.id, u.type, u.type_version, u.data, %(actor)s::text, %(causation_id)s::text,
           %(correlation_id)s::text, %(traceparent)s::text, %(occurred_at)s::timestamptz,
           greatest(statement_timestamp(), before.recorded_at)
    FROM ik
    CROSS JOIN unnest(%(ids)s::uuid[], %(types)s::text[], %(type_versions)s::smallint[], %(datas)s::json[])
         WITH ORDINALITY AS u (id, type, type_version, data, o)
    LEFT JOIN events before ON before.stream_id = %(stream_id)s::uuid AND before.version = %(expected)s::int
    WHERE %(expected)s::int = 0 OR before.version IS NOT NULL
    ORDER BY u.o
    RETURNING position, version"""

# ORDER BY version: the relay sends in the order of the marks' ids.
_OUTBOX = """
    INSERT INTO outbox (topic, key, position)
    SELECT %(topic)s::text, %(stream_id)s::uuid::text, position FROM ev ORDER BY version"""


def expand(text: str, *, keyed: bool) -> str:
    """The text with its fragments in place, for a request with or without an idempotency key."""
    for name, fragment in (
        ("idempotency", _WITH_KEY if keyed else _WITHOUT_KEY),
        ("events", _EVENTS),
        ("outbox", _OUTBOX),
    ):
        text = text.replace("{{" + name + "}}", fragment.strip())
    return text
