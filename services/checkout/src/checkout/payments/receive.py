"""Take a verified notification: store it and decide on it in one transaction (P4).

Stored once per (provider, notification, body): fifty copies at once wait for the first and find it done (F70). The
payment's row puts all notifications of one payment in a line, whichever Transaction they name: it pays one at most
(I10). What names no Transaction that we know stays undecided, with a review while money is here, until it appears
(F72). A provider's test of our address is stored, and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from booking_contracts.ids import uuid7
from booking_process.database import Database
from booking_store import CommandContext, Connection, Refused, handle
from checkout.payments import reviews, stored
from checkout.payments.heard import MONEY, Heard
from checkout.payments.provider import Notification
from checkout.payments.stored import Counted
from checkout.transaction.commands import NewIds, ReportPayment
from checkout.transaction.stream import TRANSACTION

ATTEMPTS = 8  # others change the same Transaction meanwhile; after that the provider is told to come again


@dataclass(frozen=True, slots=True)
class Received:
    """A notification's row and what it says."""

    row_id: UUID
    said: Notification


async def receive(database: Database, said: Notification, body: bytes, context: CommandContext) -> bool:
    """Store and decide; False for a repeat, which changes nothing."""
    async with database.transaction() as conn:
        row_id = await stored.keep(conn, said, body)
        if row_id is None:
            return False
        await settle(conn, Received(row_id, said), context)
        return True


async def settle(conn: Connection, received: Received, context: CommandContext) -> None:
    """Decide on a stored notification, in the caller's transaction; one that names nothing known stays undecided."""
    said = received.said
    if said.test:
        await stored.decided(conn, received.row_id, None)
        return
    if said.status is None or (said.amount is None and said.status in MONEY):
        await reviews.open_without_stream(conn, said, "unreadable", context.at)
        await stored.decided(conn, received.row_id, None)
        return
    counted = await stored.count(conn, said)
    # What came is judged where it names, what went back where the money counts.
    transaction_id = said.names if said.status == "paid" else counted.transaction_id or said.names
    if transaction_id is None or not await _decided(conn, transaction_id, said, counted, context):
        if said.amount is None or counted.heard.currency == said.amount.currency:
            await reviews.follow(conn, said, counted.heard, context.at)
        elif said.status == "paid":
            await reviews.open_without_stream(conn, said, "unknown_transaction", context.at)
        return
    if said.status in MONEY:
        await stored.claim(conn, said, transaction_id)
    await stored.decided(conn, received.row_id, transaction_id)


async def _decided(
    conn: Connection, transaction_id: UUID, said: Notification, counted: Counted, context: CommandContext
) -> bool:
    """Have the Transaction decide; False when there is none. Read committed: an attempt sees what was first (F65)."""
    ids = NewIds(uuid7(), uuid7(), uuid7(), uuid7())
    elsewhere = counted.transaction_id not in (None, transaction_id)
    report = report_of(said, counted.heard, ids, context.at, elsewhere=elsewhere)
    try:
        await handle(conn, TRANSACTION, transaction_id, report, context, attempts=ATTEMPTS)
    except Refused:  # a provider's word is never refused by a Transaction that exists
        return False
    return True


def report_of(said: Notification, heard: Heard, ids: NewIds, now: datetime, *, elsewhere: bool) -> ReportPayment:
    """Return a notification as a command; `elsewhere`: its payment counts for another Transaction."""
    if said.status is None:
        raise AssertionError("what nobody can read is a review without a stream")
    return ReportPayment(
        provider=said.provider,
        payment_id=said.payment_id,
        status=said.status,
        amount=said.amount,
        at=now,
        ids=ids,
        returned=said.returned,
        provider_refund_id=said.provider_refund_id,
        refund_ids=said.refund_ids,
        voided=heard.voided,
        denied=heard.denied,
        elsewhere=elsewhere,
        exact=said.exact,
    )
