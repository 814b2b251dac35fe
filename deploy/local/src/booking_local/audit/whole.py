"""Everything an audit looks at, one section after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS, topic_named
from booking_local.audit import calendar, claims, folds, messages, published, versions
from booking_local.audit.finding import Section

_OWNERS = ((TRANSACTIONS, "checkout"), (ERASURES, "checkout"), (SESSIONS, "consultation"))


async def audit(endpoints: Mapping[str, Any]) -> AsyncIterator[Section]:
    """Yield each comparison's outcome as soon as it is known."""
    urls, bootstrap = endpoints["postgres"], endpoints["kafka"]
    for topic, owner in _OWNERS:
        yield await published.audit_topic(urls[owner], bootstrap, topic)
    yield await folds.audit_fold(urls["checkout"], "transaction", "transaction", folds.transaction_row)
    yield await folds.audit_fold(urls["consultation"], "feedback_session", "feedback_session", folds.session_row)
    yield await claims.audit_claims(urls["consultation"])
    for name in ("checkout", "consultation", "notifier", "calendar"):
        for consumer, topic_name in await versions.consumers(urls[name]):
            topic = topic_named(topic_name)
            if topic.sequenced:
                yield await versions.audit_consumer(urls[name], bootstrap, consumer, topic)
    yield await calendar.audit_calendar(urls["calendar"], urls["consultation"])
    yield await messages.audit_messages(urls["notifier"], (urls["checkout"], urls["consultation"]))
