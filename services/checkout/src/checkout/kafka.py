"""What checkout takes from the sessions topic, and what it publishes."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.sessions import ResultUploaded, SessionStarted
from booking_contracts.topics import ERASURES, SESSIONS
from booking_inbox import InboxRouter
from booking_outbox import EventTopic, Published
from booking_store import Cause, CommandContext, Refused, handle
from checkout import catalogue
from checkout.people import store
from checkout.ranking import figures
from checkout.ranking.figures import Consulted
from checkout.ranking.listing import Months
from checkout.transactions import published
from checkout.transactions.commands import FollowSession
from checkout.transactions.decider import BEGUN
from checkout.transactions.store import TRANSACTION

ATTEMPTS = 8


def router_of(months: Months) -> InboxRouter:
    """The sessions, many in one transaction, each counted once whatever comes again."""
    router = InboxRouter()

    @router.subscriber(SESSIONS, batch=True)
    async def sessions(conn: psycopg.AsyncConnection[Any], items: Sequence[Decoded]) -> None:
        await figures.hold_off_rebuild(conn)
        before = await figures.load(conn, {UUID(item.meta.subject) for item in items})
        after: dict[UUID, Consulted] = dict(before)
        for item in items:
            session_id = UUID(item.meta.subject)
            folded = figures.fold(after.get(session_id), item, months)
            if folded:
                after[session_id] = folded
        await figures.save(conn, [row for key, row in after.items() if row is not before.get(key)])
        await figures.note_begun(conn, before, after, BEGUN)
        await figures.add(conn, _changes(before, after), months)
        for item in items:
            if isinstance(item.event, SessionStarted | ResultUploaded):
                await follow(conn, item)

    return router


def _changes(before: dict[UUID, Consulted], after: dict[UUID, Consulted]) -> dict[Any, tuple[int, int]]:
    changes: dict[Any, tuple[int, int]] = {}
    for session_id, row in after.items():
        for key, (productivity, activity) in figures.difference(before.get(session_id), row).items():
            old = changes.get(key, (0, 0))
            changes[key] = (old[0] + productivity, old[1] + activity)
    return changes


async def follow(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    """P2: a session that began with another practitioner than the Transaction's keeps them; the pair follows it."""
    if not isinstance(item.event, SessionStarted | ResultUploaded):
        return
    meta = item.meta
    context = CommandContext(Cause("system", meta.correlation_id, str(meta.id), meta.traceparent), datetime.now(UTC))
    command = FollowSession(item.event.practitioner_id)
    with suppress(Refused):  # sold elsewhere (imported sessions): nothing of ours to follow
        await handle(conn, TRANSACTION, item.event.transaction_id, command, context, attempts=ATTEMPTS)


PUBLISHED: tuple[Published, ...] = (
    *published.PUBLISHED,
    EventTopic(ERASURES),
    catalogue.PUBLISHED,
    *store.PUBLISHED,
)
