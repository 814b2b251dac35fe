"""Everything an audit looks at, one section after the other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS, compare_topics
from booking_local.audit import calendar, claims, copies, folds, messages, published, states, versions, zones
from booking_local.audit.finding import Section
from booking_local.audit.published import Progress
from booking_outbox import StateTopic

_OWNERS = ((TRANSACTIONS, "checkout"), (ERASURES, "checkout"), (SESSIONS, "consultation"))

Told = Callable[[str], Progress]
"""Given what is looked at now, what to tell of its progress."""


def _silent(_: str) -> Progress:
    return lambda *_: None


async def audit(endpoints: Mapping[str, Any], told: Told = _silent) -> AsyncIterator[Section]:
    """Yield each comparison's outcome as soon as it is known."""
    urls, bootstrap = endpoints["postgres"], endpoints["kafka"]
    missing, _ = await compare_topics(bootstrap)
    if missing:
        raise published.missing(missing)
    for topic, owner in _OWNERS:
        yield await published.audit_topic(urls[owner], bootstrap, topic, progress=told(topic.name))
    for owner, state in _states():
        yield await states.audit_states(urls[owner], bootstrap, state, progress=told(state.topic.name))
    yield await _fold(urls["checkout"], "transaction", folds.transaction_row, told)
    yield await _fold(urls["consultation"], "feedback_session", folds.session_row, told)
    yield await claims.audit_claims(urls["consultation"])
    yield await zones.audit_zones(urls["consultation"])
    for service, readers in versions.READERS.items():
        for consumer, topics in readers.items():
            for topic in topics:
                progress = told(f"{consumer} ← {topic.name}")
                yield await versions.audit_consumer(urls[service], bootstrap, consumer, topic, progress=progress)
    yield await calendar.audit_calendar(urls["calendar"], urls["consultation"])
    until = time.monotonic() + copies.PATIENCE
    for copy in copies.COPIES:
        yield await copies.audit_copy(urls, copy, until)
    yield await messages.audit_messages(urls["notifier"], (urls["checkout"], urls["consultation"]))


async def _fold(url: str, name: str, fold: folds.Fold, told: Told) -> Section:
    return await folds.audit_fold(url, name, name, fold, progress=told(f"fold of {name}"))


def _states() -> list[tuple[str, StateTopic]]:
    """Each state topic that is ours, with the service whose rows it says."""
    from calendar_projector.publish import ROWS  # noqa: PLC0415  (only an audit in a checkout knows a service's rows)
    from checkout.publishing import PUBLISHED as DIRECTORY  # noqa: PLC0415
    from notifier.ledger.store import PUBLISHED as MESSAGES  # noqa: PLC0415
    from notifier.people import PUBLISHED as PREFERENCES  # noqa: PLC0415

    directory = [("checkout", one) for one in DIRECTORY if isinstance(one, StateTopic)]
    return [*directory, ("notifier", MESSAGES), ("notifier", PREFERENCES), ("calendar", ROWS)]
