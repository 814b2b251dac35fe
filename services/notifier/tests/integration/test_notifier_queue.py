"""Taking up the next message costs the same however many wait (N3), also when all are due at the very same instant."""

import json
from typing import Any
from uuid import uuid4

import pytest

from notifier.sending import claim

pytestmark = pytest.mark.servers
WAITING = 4000

_CAUSE = "INSERT INTO cause VALUES (%s, %s, 1, %s, 'system', now())"
_WAITING = """
INSERT INTO notification (id, cause_event_id, recipient_id, channel, template, locale, due_at, state, queued_at,
    not_before, changed_at, correlation_id)
SELECT gen_random_uuid(), %s, CASE WHEN n %% 10 = 0 THEN 'busy' ELSE gen_random_uuid()::text END, 'email',
    'template_' || n, 'id', at, 'pending', at, at, at, 'c'
FROM generate_series(1, %s) n, (SELECT now() - interval '1 minute' AS at)"""


async def test_thousands_due_at_one_instant__one_is_found_by_index_alone(notifier) -> None:
    running, cause = await notifier(sending=False), uuid4()
    await running.execute_as_owner(_CAUSE, cause, "ScheduleRequested", json.dumps({}))
    await running.execute_as_owner(_WAITING, cause, WAITING)
    # Somebody's message is on its way: that person's others stand back and must not be looked through again and again.
    await running.execute_as_owner(
        """UPDATE notification SET state = 'sending', sending_until = now() + interval '1 minute'
           WHERE id = (SELECT id FROM notification WHERE recipient_id = 'busy' LIMIT 1)"""
    )
    await running.execute_as_owner("ANALYZE notification")
    (row,) = await running.query(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + claim._NEXT.replace("%(channel)s", "'email'")
    )
    plan = row["QUERY PLAN"][0]["Plan"]
    assert not {node for node in _nodes(plan) if "Sort" in node or node == "Seq Scan on notification"}
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < WAITING // 2


def _nodes(plan: dict[str, Any]) -> list[str]:
    own = f"{plan['Node Type']} on {plan['Relation Name']}" if "Relation Name" in plan else plan["Node Type"]
    return [own, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]
