"""Assessments that were told by HTTP, for their topic (R1): whoever reads that has all there are.

The assessment service writes the topic itself, or tells us by HTTP. What it wrote is not sent again, and what we sent
is not taken for news. `told_assessment` has what HTTP said last of each, whatever the topic has said since: it is the
row of our records.
"""

from dataclasses import asdict
from datetime import datetime
from typing import LiteralString

from booking_contracts.topics import ASSESSMENTS
from booking_outbox import StateTopic, instant
from booking_store import Cause, Connection
from consultation.entitlements.store import KeptAssessment

_ROWS: LiteralString = f"""
SELECT id::text AS key, version::bigint AS version, told_at AS occurred_at, actor, correlation_id, causation_id,
    traceparent, json_build_object('assessment_id', id, 'user_id', user_id,
        'completed_at', {instant("completed_at")})::text AS value
FROM told_assessment WHERE id = ANY(%(keys)s::text[]::uuid[])
"""  # noqa: S608 - constants

# Sent again is what still holds: said anew after the topic's own word, it would be the last.
_STILL_TRUE = """
SELECT t.id::text AS key FROM told_assessment t JOIN assessment a ON a.id = t.id AND a.completed_at = t.completed_at
"""

PUBLISHED = StateTopic(ASSESSMENTS, _ROWS, all_keys=_STILL_TRUE, writer="consultation")

_TELL = """
WITH told AS (
    INSERT INTO told_assessment (id, user_id, completed_at, version, told_at, actor, correlation_id, causation_id,
        traceparent)
    VALUES (%(id)s, %(user_id)s, %(completed_at)s, %(version)s, %(told_at)s, %(actor)s, %(correlation_id)s,
        %(causation_id)s, %(traceparent)s)
    ON CONFLICT (id) DO UPDATE SET (completed_at, version, told_at, actor, correlation_id, causation_id, traceparent)
        = (excluded.completed_at, excluded.version, excluded.told_at, excluded.actor, excluded.correlation_id,
        excluded.causation_id, excluded.traceparent)
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM told
"""


async def tell(conn: Connection, kept: KeptAssessment, cause: Cause, at: datetime) -> None:
    """Have the relay send the assessment as it is kept now, in the transaction in hand."""
    told = {"id": kept.id, "user_id": kept.user_id, "completed_at": kept.completed_at, "version": kept.version}
    await conn.execute(_TELL, {**told, **asdict(cause), "told_at": at, "topic": ASSESSMENTS.name})
