"""Take a verified notification: store it and decide on it in one transaction (P4).

Stored once per (provider, notification, body): fifty copies at once wait for the first and find it done (F70). The
payment's row puts all notifications of one payment in a line, whichever Transaction they name: it pays one at most
(I10). What names no Transaction that we know stays undecided, with a review if money came, until it appears (F72).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from booking_chassis.database import Database
from booking_contracts.ids import uuid7
from booking_store import StreamConflict
from checkout.asking import Asked
from checkout.payments import reviews, stored
from checkout.payments.provider import Notification
from checkout.payments.stored import Counted
from checkout.transaction.commands import NewIds, ReportPayment
from checkout.transaction.decider import decide
from checkout.transaction.refusal import Refusal
from checkout.transaction.row import Note
from checkout.transaction.state import Absent
from checkout.transaction.stream import Read, read, write

ATTEMPTS = 8  # others change the same Transaction meanwhile; after that the provider is told to come again
MONEY = ("paid", "refunded")
BY_PROVIDER = "Returned by the payment provider."


@dataclass(frozen=True, slots=True)
class Received:
    """A notification's row and what it says."""

    row_id: UUID
    said: Notification


async def receive(database: Database, said: Notification, body: bytes, asked: Asked) -> bool:
    """Store and decide; False for a repeat, which changes nothing."""
    async with database.transaction() as conn:
        row_id = await stored.keep(conn, said, body)
        if row_id is None:
            return False
        await settle(conn, Received(row_id, said), asked)
        return True


async def settle(conn: psycopg.AsyncConnection[Any], received: Received, asked: Asked) -> None:
    """Decide on a stored notification, in the caller's transaction; one that names nothing known stays undecided."""
    said = received.said
    if said.status is None or (said.amount is None and said.status in MONEY):
        await reviews.open_without_stream(conn, said, "unreadable", asked.now)
        await stored.decided(conn, received.row_id, None)
        return
    counted = await stored.count(conn, said)
    transaction_id = said.names
    found = await read(conn, transaction_id) if transaction_id else None
    if transaction_id is None or found is None or isinstance(found.state, Absent):
        await _unknown(conn, said, counted, asked)
        return
    await _decide(conn, found, said, counted, asked)
    if said.status in MONEY:
        await stored.claim(conn, said, transaction_id)
    await stored.decided(conn, received.row_id, transaction_id)


async def _decide(
    conn: psycopg.AsyncConnection[Any], found: Read, said: Notification, counted: Counted, asked: Asked
) -> None:
    if said.amount is None or said.status is None:
        return  # no money in it
    ids = NewIds(uuid7(), uuid7(), uuid7(), uuid7())
    report = ReportPayment(
        provider=said.provider,
        payment_id=said.payment_id,
        status=said.status,
        amount=said.amount,
        at=asked.now,
        ids=ids,
        returned=said.returned,
        provider_refund_id=said.provider_refund_id,
        elsewhere=counted.transaction_id not in (None, found.id),
        exact=said.exact,
    )
    for _ in range(ATTEMPTS):
        events = decide(report, found.state)
        if isinstance(events, Refusal):
            raise AssertionError("a provider's word is never refused")  # noqa: TRY004 - a bug, no wrong type
        if not events:
            return
        settles = any(event.TYPE == "PaymentReviewSettled" for event in events)
        note = Note(ids.reason, None, BY_PROVIDER) if settles else None
        try:
            await write(conn, found, events, cause=asked.cause, now=asked.now, note=note)
        except StreamConflict:
            # Read committed: the next read sees what was first, be it the expiry (F65) or another payment.
            found = await read(conn, found.id)
            continue
        return
    raise StreamConflict("the Transaction kept changing")


async def _unknown(conn: psycopg.AsyncConnection[Any], said: Notification, counted: Counted, asked: Asked) -> None:
    if said.status == "paid" and counted.status != "refunded":
        await reviews.open_without_stream(conn, said, "unknown_transaction", asked.now)
    elif said.status == "refunded":
        await reviews.returned_without_stream(conn, said)
