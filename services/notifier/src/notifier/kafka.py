"""What each topic changes here. Every apply runs in the transaction that moves the record's version row."""

from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.sessions import PractitionerChanged, SessionEvent, SessionRescheduled, SessionScheduled
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, SESSIONS, TRANSACTIONS
from booking_contracts.transactions import TransactionCreated
from booking_inbox import InboxRouter
from notifier.ledger.store import ledger_update, plan_messages, supersede_timers
from notifier.people import FORGET, PEOPLE
from notifier.webhooks.ledger import plan_deliveries

CONSUMER = "notifier"

router = InboxRouter()
router.subscriber(PRACTITIONERS)(PEOPLE.follow)

Connection = psycopg.AsyncConnection[Any]

_DROP_WAITING = ledger_update(
    "state = 'skipped', reason = 'erased', not_before = NULL",
    "n.recipient_id = %(person)s AND n.state = 'pending'",
)


@router.subscriber(TRANSACTIONS)
async def transactions(conn: Connection, record: Decoded) -> None:
    """Notes what was sold and writes down who is told."""
    if isinstance(record.event, TransactionCreated):
        await conn.execute(
            "INSERT INTO sale (transaction_id, product_name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [record.event.transaction_id, record.event.product.name],
        )
    await plan_messages(conn, record)
    await plan_deliveries(conn, record)


@router.subscriber(SESSIONS)
async def sessions(conn: Connection, record: Decoded) -> None:
    """Notes how the session stands, writes down who is told, and drops the timers of what no longer holds (N4)."""
    event = record.event
    if not isinstance(event, SessionEvent):
        return
    await _note_session(conn, event)
    await plan_messages(conn, record)
    await supersede_timers(conn, event.session_id)
    await plan_deliveries(conn, record)


@router.subscriber(CONTACTS)
async def contacts(conn: Connection, record: Decoded) -> None:
    """Notes a person's contact data; whoever waited for this address waits no longer (N5)."""
    await PEOPLE.follow(conn, record)
    if record.event is not None:
        await conn.execute(
            """UPDATE notification SET not_before = clock_timestamp()
               WHERE recipient_id = %s AND state = 'pending' AND reason = 'no_address'""",
            [record.meta.subject],
        )


@router.subscriber(ERASURES)
async def erasures(conn: Connection, record: Decoded) -> None:
    """E4: contact, name, preferences and held contact records go, waiting messages are dropped.

    The ledgers stay: they hold ids only. So does the row of preferences, empty: it has the version of their tombstone.
    Receivers of webhooks that want to know are told, as they may keep what they looked up by those ids.
    """
    person_id = UUID(record.meta.subject)
    async with PEOPLE.erasing(conn, person_id, record.meta.time):
        await conn.execute(FORGET, {"person": person_id})
        await conn.execute(_DROP_WAITING, {"person": str(person_id)})
    await plan_deliveries(conn, record)


async def _note_session(conn: Connection, event: SessionEvent) -> None:
    """A time comes with a schedule and goes with a change of practitioner; every other event leaves it as it is."""
    scheduled = isinstance(event, (SessionScheduled, SessionRescheduled))
    await conn.execute(
        """INSERT INTO session AS s (id, status, schedule_version, starts_at, ends_at)
           VALUES (%(id)s, %(status)s, coalesce(%(version)s, 0), %(starts_at)s, %(ends_at)s)
           ON CONFLICT (id) DO UPDATE SET status = excluded.status,
               schedule_version = coalesce(%(version)s, s.schedule_version),
               starts_at = CASE WHEN %(timed)s THEN excluded.starts_at ELSE s.starts_at END,
               ends_at = CASE WHEN %(timed)s THEN excluded.ends_at ELSE s.ends_at END""",
        {
            "id": event.session_id,
            "status": event.status,
            "version": getattr(event, "schedule_version", None),
            "starts_at": event.starts_at if scheduled else None,
            "ends_at": event.ends_at if scheduled else None,
            "timed": scheduled or isinstance(event, PractitionerChanged),
        },
    )
