"""I11: every event that asks for messages has its rows in the notifier's ledger, and every row has its event.

What an event asks for is the notifier's own pure rule (N1), applied to the stored events again. That a message exists
once is the ledger's unique constraint; here it is that none is missing and none was made up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from booking_contracts.decode import from_store
from booking_proof.audit.section import LISTED, Difference, Section

_BATCH = 1_000
_REMEDY = "a defect, or history before this notifier's database"
_EVENTS = """
    SELECT id, type, type_version, data::text, actor, occurred_at FROM events
    WHERE type = ANY(%s) ORDER BY position"""
_LEDGER = "SELECT cause_event_id, recipient_id, template, due_at FROM notification WHERE cause_event_id = ANY(%s)"
# A provider that is down makes messages late for hours; whoever has one due for longer than this should know.
_LATE = """
    FROM notification WHERE state IN ('pending', 'sending', 'ambiguous')
      AND coalesce(sending_until, not_before) < now() - interval '15 minutes'"""
_HOW_MANY_LATE = f"SELECT count(*) {_LATE}"
_WHICH_LATE = f"SELECT id, template, channel, due_at {_LATE} ORDER BY due_at, id LIMIT {LISTED}"
_STATES = "SELECT state, count(*) FROM notification GROUP BY state ORDER BY state"
# Who switched every channel off gets no row: the present choice is the only one that is known.
_SILENT = "SELECT person_id::text FROM preference WHERE NOT email AND NOT whatsapp"


class _Stored(NamedTuple):
    """An event as its owner stored it."""

    id: UUID
    type: str
    type_version: int
    data: str
    actor: str
    occurred_at: datetime


async def audit_messages(notifier_url: str, owner_urls: Sequence[str]) -> Section:
    """Compare what all stored events ask for with the ledger."""
    section = Section("messages asked for = ledger", {"asked for": 0, "by choice of none": 0})
    async with await psycopg.AsyncConnection.connect(notifier_url, autocommit=True) as ledger:
        silent = {person for (person,) in await (await ledger.execute(_SILENT)).fetchall()}
        causes = 0
        for url in owner_urls:
            async for batch in _stored(url):
                causes += await _compare(ledger, batch, silent, section)
        row: Any = await (await ledger.execute("SELECT count(DISTINCT cause_event_id) FROM notification")).fetchone()
        if row[0] > causes:
            section.differ("I11", f"{row[0] - causes} causes in the ledger are no stored events", _REMEDY)
        section.counts |= dict(await (await ledger.execute(_STATES)).fetchall())
        await _late(ledger, section)
    return section


async def _late(ledger: psycopg.AsyncConnection[Any], section: Section) -> None:
    """Every message that is due leaves, or ends visibly."""
    counted: Any = await (await ledger.execute(_HOW_MANY_LATE.encode())).fetchone()
    found = await (await ledger.execute(_WHICH_LATE.encode())).fetchall()
    for id_, template, channel, due_at in found:
        what = f"{template} {id_} by {channel}: due since {due_at:%Y-%m-%d %H:%M} UTC and neither sent nor given up"
        section.differences.append(Difference("I11", what, "is the provider, or the notifier's worker, down?"))
    section.hidden += counted[0] - len(found)


async def _stored(url: str) -> AsyncIterator[list[_Stored]]:
    from notifier.rules import TABLE  # noqa: PLC0415  (only an audit in a checkout knows a service's rules)

    async with await psycopg.AsyncConnection.connect(url) as conn, conn.cursor("audit_messages") as cursor:
        await cursor.execute(_EVENTS, [[event.TYPE for event in TABLE]])
        while rows := await cursor.fetchmany(_BATCH):
            yield [_Stored(*row) for row in rows]


async def _compare(
    ledger: psycopg.AsyncConnection[Any], batch: Sequence[_Stored], silent: set[str], section: Section
) -> int:
    """Compare one batch; return how many of its events the ledger knows."""
    from notifier.rules import messages_for  # noqa: PLC0415  (likewise)

    cursor = await ledger.execute(_LEDGER, [[stored.id for stored in batch]])
    found = {(cause, recipient, template): due async for cause, recipient, template, due in cursor}
    for stored in batch:
        event = from_store(stored.type, stored.type_version, stored.data)
        for wanted in messages_for(event, actor=stored.actor, at=stored.occurred_at):
            section.counts["asked for"] += 1
            due_at = found.get((stored.id, wanted.recipient_id, wanted.template))
            if due_at is not None:
                if due_at != wanted.due_at:
                    what = f"{wanted.template} to {wanted.recipient_id} is due at {due_at}, not {wanted.due_at}"
                    section.differ("I11", f"{stored.type} {stored.id}: {what}", _REMEDY)
                continue
            if wanted.recipient_id in silent:
                section.counts["by choice of none"] += 1
            else:
                section.differ(
                    "I11", f"{stored.type} {stored.id} has no {wanted.template} to {wanted.recipient_id}", _REMEDY
                )
    return len({cause for cause, _, _ in found})
