"""I15: what receivers of webhooks were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence

from booking_contracts.topics import SESSIONS, TRANSACTIONS

_TYPES = {event.TYPE: event.full_type() for event in (*TRANSACTIONS.events, *SESSIONS.events)}


def posted(evidence: Evidence) -> Iterator[str]:
    """I15: each event of a subscribed type reaches its receiver at least once, by one id; or the log says why not."""
    rows = Counter((row.endpoint, row.webhook_id) for row in evidence.webhooks)
    yield from (f"delivery {row} is in the log {times} times" for row, times in rows.items() if times > 1)
    for endpoint in evidence.endpoints:
        for event in evidence.events:
            if _TYPES.get(event.type) in endpoint["event_types"] and (endpoint["id"], event.id) not in rows:
                yield f"{event.type} of {event.stream_id} was never to be posted to {endpoint['url']}"
    taken = {(one.endpoint, one.webhook_id) for one in evidence.receptions if 200 <= one.status < 300}
    enabled = {endpoint["id"] for endpoint in evidence.endpoints if endpoint["status"] == "enabled"}
    for row in evidence.webhooks:
        at = f"delivery of {row.webhook_id} to {row.endpoint}"
        if row.status == "delivered" and (row.endpoint, row.webhook_id) not in taken:
            yield f"{at} says delivered, its receiver never took it"
        if row.status in {"pending", "sending"} and row.endpoint in enabled:
            yield f"{at} is still {row.status}, and its endpoint enabled"
    for one in evidence.receptions:
        if not one.verified:
            yield f"{one.webhook_id} came to {one.endpoint} with a signature that is none"
        if (one.endpoint, one.webhook_id) not in rows:
            yield f"{one.webhook_id} came to {one.endpoint}, and the log does not know of it"
