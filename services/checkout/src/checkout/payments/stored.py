"""The tables of what providers said: `payment_notification` and `payment`."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any, get_args
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from booking_contracts.money import Money
from checkout.payments.heard import Heard
from checkout.payments.provider import Notification
from checkout.transaction.commands import PaymentStatus

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
_COLUMNS = (
    "n.id, n.provider, n.notification_id, n.payment_id, n.reference, n.status, n.amount, n.currency, n.exact,"
    " n.returned, n.provider_refund_id, n.refund_ids, n.retry"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a payment, this notification included, and the Transaction it counts for."""

    heard: Heard
    transaction_id: UUID | None


async def keep(conn: psycopg.AsyncConnection[Any], said: Notification, body: bytes) -> UUID | None:
    """Store a notification with its body; None if these very bytes are there already."""
    found = await conn.execute(
        "INSERT INTO payment_notification (provider, notification_id, payment_id, reference, names, status, amount,"
        " currency, exact, returned, provider_refund_id, refund_ids, retry, body_sha256, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
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
            hashlib.sha256(body).digest(),
            body,
        ],
    )
    row = await found.fetchone()
    return row[0] if row else None


async def count(conn: psycopg.AsyncConnection[Any], said: Notification) -> Counted:
    """Add this notification to what was said of its payment, and lock its row until the transaction ends."""
    found = await conn.execute(_COUNT, [said.provider, said.payment_id, said.reference, said.status, _RISING, _RISING])
    row = await found.fetchone()
    if row is None:
        raise AssertionError("an upsert returns its row")
    heard = Heard(*row[1:]).and_(said)
    await conn.execute(_HEARD, [*dataclasses.astuple(heard), said.provider, said.payment_id])
    return Counted(heard, row[0])


async def claim(conn: psycopg.AsyncConnection[Any], said: Notification, transaction_id: UUID) -> None:
    """Note for which Transaction a payment counts; the first stays."""
    await conn.execute(
        "UPDATE payment SET transaction_id = %s WHERE provider = %s AND payment_id = %s AND transaction_id IS NULL",
        [transaction_id, said.provider, said.payment_id],
    )


async def decided(conn: psycopg.AsyncConnection[Any], row_id: UUID, transaction_id: UUID | None) -> None:
    """Mark a notification as decided. Of an erased member's payment no body is kept (E4)."""
    # `is_erased` waits for an erasure under way and looks anew: else the body of one that just comes would stay.
    await conn.execute(
        "UPDATE payment_notification SET decided_at = statement_timestamp(), transaction_id = %(transaction_id)s,"
        " body = CASE WHEN (SELECT is_erased(ARRAY[t.user_id]) FROM transaction t"
        " WHERE t.id = %(transaction_id)s::uuid) THEN NULL ELSE body END WHERE id = %(id)s",
        {"transaction_id": transaction_id, "id": row_id},
    )


async def undecided(
    conn: psycopg.AsyncConnection[Any], *, limit: int, names: UUID | None = None, after: UUID
) -> list[tuple[UUID, Notification]]:
    """Lock and return notifications whose Transaction has appeared since; another worker's are left out."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(
        f"SELECT {_COLUMNS} FROM payment_notification n JOIN transaction t ON t.id = n.names"  # noqa: S608
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
    )


async def forget_bodies(conn: psycopg.AsyncConnection[Any]) -> int:
    """Delete bodies older than 90 days, a thousand at a time; the rest of the row stays for ever (P4)."""
    gone = await conn.execute(
        "UPDATE payment_notification SET body = NULL WHERE id = ANY(ARRAY(SELECT id FROM payment_notification"
        " WHERE body IS NOT NULL AND received_at < now() - interval '90 days' LIMIT 1000))"
    )
    return gone.rowcount
