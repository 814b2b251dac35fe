"""A provider's notification, from its request to its commit (P4): verified, stored and decided on in one transaction.

Stored once per (provider, notification, body): fifty copies at once wait for the first and find it done (F70). The
payment's row puts all notifications of one payment in a line, whichever Transaction they name: it pays one at most
(I10). What names no Transaction that we know stays undecided, with a review while money is here, until it appears
(F72). A provider's test of our address is stored, and nothing else.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Path, Request
from psycopg.rows import dict_row
from pydantic import BaseModel

from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_process.database import Database
from booking_store import Busy, Cause, CommandContext, Connection, Refused, handle
from booking_web.context import RequestContext
from booking_web.problems import Problem, not_found, problem_responses, unavailable
from checkout.payments import reviews
from checkout.payments.provider import MONEY, BadBodyError, BadSignatureError, Heard, Notification, Provider
from checkout.transactions.commands import NewIds, PaymentStatus, ReportPayment
from checkout.transactions.store import TRANSACTION

MALFORMED = Problem(400, "malformed_json", "The body is no JSON object.")
BAD_SIGNATURE = Problem(401, "invalid_signature", "The notification is not signed by the provider.")
BUSY = unavailable("busy", "The Transaction keeps changing. Send it again.")


class Taken(BaseModel, title="NotificationReceipt"):
    """Stored; a repeat gets the same answer."""

    received: bool = True


def payments_router(database: Database, providers: Mapping[str, Provider], poke: Callable[[], None]) -> APIRouter:
    """Return the route for these configured providers."""
    router = APIRouter(prefix="/v1/payments", tags=["payments"])

    @router.post(
        "/{provider}/notifications", responses=problem_responses(MALFORMED, BAD_SIGNATURE, 404, 413, 503, BUSY)
    )
    async def notify_payment(
        provider: Annotated[str, Path(max_length=50, description="`midtrans` or `manual`.", examples=["midtrans"])],
        request: Request,
        context: RequestContext,
    ) -> Taken:
        """Take a provider's notification, verified on its raw bytes; 200 once it is stored, whatever it says."""
        found = providers.get(provider)
        if found is None:
            raise not_found("There is no such provider.")
        body = await request.body()
        try:
            found.verify(request.headers, body)
            said = found.parse(body)
        except BadBodyError:
            raise Problem(400, "malformed_json", "The body is no JSON object.") from None
        except BadSignatureError:
            raise Problem(401, "invalid_signature", "The notification is not signed by the provider.") from None
        cause = Cause(f"service:{found.name}", context.correlation_id, context.request_id, context.traceparent)
        try:
            if await receive(database, said, body, CommandContext(cause, datetime.now(UTC))):
                poke()
        except Busy:
            # Not stored, so not taken: the provider will come again (F77).
            raise unavailable("busy", "The Transaction keeps changing. Send it again.") from None
        return Taken()

    return router


ATTEMPTS = 8  # others change the same Transaction meanwhile; after that the provider is told to come again


@dataclass(frozen=True, slots=True)
class Received:
    """A notification's row and what it says."""

    row_id: UUID
    said: Notification


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """What is known of a payment, this notification included, and the Transaction it counts for."""

    heard: Heard
    transaction_id: UUID | None


async def receive(database: Database, said: Notification, body: bytes, context: CommandContext) -> bool:
    """Store and decide; False for a repeat, which changes nothing."""
    async with database.transaction() as conn:
        row_id = await _keep(conn, said, body)
        if row_id is None:
            return False
        await settle(conn, Received(row_id, said), context)
        return True


async def settle(conn: Connection, received: Received, context: CommandContext) -> None:
    """Decide on a stored notification, in the caller's transaction; one that names nothing known stays undecided."""
    said = received.said
    if said.test:
        await _mark_decided(conn, received.row_id, None)
        return
    if said.status is None or (said.amount is None and said.status in MONEY):
        await reviews.open_without_stream(conn, said, "unreadable", context.at)
        await _mark_decided(conn, received.row_id, None)
        return
    known = await _count(conn, said)
    # What came is judged where it names, what went back where the money counts.
    transaction_id = said.names if said.status == "paid" else known.transaction_id or said.names
    if transaction_id is None or not await _decided(conn, transaction_id, said, known, context):
        if said.amount is None or known.heard.currency == said.amount.currency:
            await reviews.follow(conn, said, known.heard, context.at)
        elif said.status == "paid":
            await reviews.open_without_stream(conn, said, "unknown_transaction", context.at)
        return
    if said.status in MONEY:
        await _claim(conn, said, transaction_id)
    await _mark_decided(conn, received.row_id, transaction_id)


async def _decided(
    conn: Connection, transaction_id: UUID, said: Notification, known: KnownPayment, context: CommandContext
) -> bool:
    """Have the Transaction decide; False when there is none. Read committed: an attempt sees what was first (F65)."""
    ids = NewIds(uuid7(), uuid7(), uuid7(), uuid7())
    elsewhere = known.transaction_id not in (None, transaction_id)
    report = report_of(said, known.heard, ids, context.at, elsewhere=elsewhere)
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
        settled_at=said.settled_at,
        declined=said.declined,
    )


_COUNT = """
INSERT INTO payment (provider, payment_id, reference, status) VALUES (%s, %s, %s, %s)
ON CONFLICT (provider, payment_id) DO UPDATE SET updated_at = statement_timestamp(), status = CASE
    WHEN array_position(%s::text[], excluded.status) > array_position(%s::text[], payment.status)
    THEN excluded.status ELSE payment.status END
RETURNING transaction_id, currency, received, returned, partly, whole, voided, denied
"""
_HEARD = """
UPDATE payment SET currency = %s, received = %s, returned = %s, partly = %s, whole = %s, voided = %s, denied = %s
WHERE provider = %s AND payment_id = %s
"""
_RISING = list(get_args(PaymentStatus))


async def _keep(conn: Connection, said: Notification, body: bytes) -> UUID | None:
    """Store a notification with its body; None if these very bytes are there already."""
    found = await conn.execute(
        "INSERT INTO payment_notification (provider, notification_id, payment_id, reference, names, status, amount,"
        " currency, exact, returned, provider_refund_id, refund_ids, retry, settled_at, declined, body_sha256,"
        " body) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT ON CONSTRAINT payment_notification_once DO NOTHING RETURNING id",
        [
            said.provider,
            said.notification_id,
            said.payment_id,
            said.reference,
            said.names,
            said.status,
            said.amount.amount if said.amount else None,
            said.amount.currency if said.amount else None,
            said.exact,
            said.returned.amount if said.returned else None,
            said.provider_refund_id,
            list(said.refund_ids),
            said.retry,
            said.settled_at,
            said.declined,
            hashlib.sha256(body).digest(),
            body,
        ],
    )
    row = await found.fetchone()
    return row[0] if row else None


async def _count(conn: Connection, said: Notification) -> KnownPayment:
    """Add this notification to what was said of its payment, and lock its row until the transaction ends."""
    found = await conn.execute(_COUNT, [said.provider, said.payment_id, said.reference, said.status, _RISING, _RISING])
    row = await found.fetchone()
    if row is None:
        raise AssertionError("an upsert returns its row")
    heard = Heard(*row[1:]).and_(said)
    await conn.execute(_HEARD, [*dataclasses.astuple(heard), said.provider, said.payment_id])
    return KnownPayment(heard, row[0])


async def _claim(conn: Connection, said: Notification, transaction_id: UUID) -> None:
    """Note for which Transaction a payment counts; the first stays."""
    await conn.execute(
        "UPDATE payment SET transaction_id = %s WHERE provider = %s AND payment_id = %s AND transaction_id IS NULL",
        [transaction_id, said.provider, said.payment_id],
    )


async def _mark_decided(conn: Connection, row_id: UUID, transaction_id: UUID | None) -> None:
    """Mark a notification as decided. Of an erased member's payment no body is kept (E4)."""
    # `is_erased` waits for an erasure under way and looks anew: else the body of one that just comes would stay.
    await conn.execute(
        "UPDATE payment_notification SET decided_at = statement_timestamp(), transaction_id = %(transaction_id)s,"
        " body = CASE WHEN (SELECT is_erased(ARRAY[t.user_id]) FROM transaction t"
        " WHERE t.id = %(transaction_id)s::uuid) THEN NULL ELSE body END WHERE id = %(id)s",
        {"transaction_id": transaction_id, "id": row_id},
    )


async def undecided(
    conn: Connection, *, limit: int, names: UUID | None = None, after: UUID
) -> list[tuple[UUID, Notification]]:
    """Lock and return notifications whose Transaction has appeared since; another worker's are left out."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(
        "SELECT n.id, n.provider, n.notification_id, n.payment_id, n.reference, n.status, n.amount, n.currency,"
        " n.exact, n.returned, n.provider_refund_id, n.refund_ids, n.retry, n.settled_at, n.declined"
        " FROM payment_notification n JOIN transaction t ON t.id = n.names"
        " WHERE n.decided_at IS NULL AND n.id > %(after)s AND (%(names)s::uuid IS NULL OR n.names = %(names)s::uuid)"
        " ORDER BY n.id LIMIT %(limit)s FOR UPDATE OF n SKIP LOCKED",
        {"names": names, "limit": limit, "after": after},
    )
    return [(row["id"], _notification(row)) for row in await cursor.fetchall()]


def _notification(row: dict[str, Any]) -> Notification:
    currency = row["currency"]
    return Notification(
        provider=row["provider"],
        notification_id=row["notification_id"],
        payment_id=row["payment_id"],
        reference=row["reference"],
        status=row["status"],
        amount=Money(row["amount"], currency) if currency is not None else None,
        exact=row["exact"],
        returned=Money(row["returned"], currency) if row["returned"] is not None and currency else None,
        provider_refund_id=row["provider_refund_id"],
        refund_ids=tuple(row["refund_ids"]),
        retry=row["retry"],
        settled_at=row["settled_at"],
        declined=row["declined"],
    )


async def forget_bodies(database: Database) -> int:
    """Delete bodies older than 90 days, a thousand at a time; the rest of the row stays for ever (P4)."""
    async with database.autocommit() as conn:
        gone = await conn.execute(
            "UPDATE payment_notification SET body = NULL WHERE id = ANY(ARRAY(SELECT id FROM payment_notification"
            " WHERE body IS NOT NULL AND received_at < now() - interval '90 days' LIMIT 1000))"
        )
        return gone.rowcount
