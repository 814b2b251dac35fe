"""What the transactions topic told so far: the entitlement of each Transaction (R1, P2, P5), and assessments (R1)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from booking_contracts.transactions import (
    PractitionerAssigned,
    PractitionerReassigned,
    RefundFailed,
    RefundRequested,
    TransactionCanceled,
    TransactionCreated,
    TransactionEvent,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
)
from booking_store import IdempotencyKey, Remembered
from consultation.entitlements.domain import Assessment, Entitlement

Connection = psycopg.AsyncConnection[Any]

# One statement: with a remembered success, everything it relied upon is in the same snapshot.
_FACTS = """
SELECT e.transaction_id, e.user_id, e.practitioner_id, e.status, e.kind, e.request_limit_minutes, e.auto_start,
       e.version, a.id AS assessment_id, a.user_id AS assessment_user_id,
       k.sha AS key_sha, k.status AS key_status, k.object_id AS key_object_id, k.version AS key_version
FROM (SELECT) one
LEFT JOIN entitlement e ON e.transaction_id = %(transaction_id)s
LEFT JOIN assessment a ON a.id = %(assessment_id)s
LEFT JOIN idempotency k ON k.sub = %(sub)s AND k.operation = %(operation)s AND k.key = %(key)s
"""

_ASSESSMENT: LiteralString = "SELECT id, user_id, completed_at, version FROM assessment WHERE id = %s"
_ASSESSMENT_LOCKED: LiteralString = _ASSESSMENT + " FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request relies upon, as consumed so far; and what its idempotency key remembers."""

    entitlement: Entitlement | None
    assessment: Assessment | None
    remembered: Remembered | None


async def read_facts(
    conn: Connection, transaction_id: UUID, assessment_id: UUID | None, key: IdempotencyKey | None
) -> Facts:
    """The facts of a request; None for what has not been told."""
    params = {
        "transaction_id": transaction_id,
        "assessment_id": assessment_id,
        "sub": key and key.sub,
        "operation": key and key.operation,
        "key": key and key.key,
    }
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_FACTS, params)
        row = await cursor.fetchone()
    assert row is not None
    return Facts(_entitlement(row), _assessment(row), _remembered(row))


async def entitlement_of(conn: Connection, transaction_id: UUID) -> Entitlement | None:
    """The entitlement of one Transaction."""
    return (await read_facts(conn, transaction_id, None, None)).entitlement


async def note(conn: Connection, event: TransactionEvent, version: int) -> None:
    """Change the entitlement by one event of its Transaction, and its version by every event.

    A refund of reviewed money (`review_id`) changes no right: it returns what never paid for this Transaction (P5).
    """
    match event:
        case TransactionCreated():
            await _created(conn, event, version)
        case TransactionPaid():
            await conn.execute(
                "UPDATE entitlement SET status = 'paid', kind = %s, request_limit_minutes = %s, auto_start = %s, "
                "practitioner_id = coalesce(%s, practitioner_id), version = %s WHERE transaction_id = %s",
                [event.kind, event.request_limit_minutes, event.auto_start, event.practitioner_id, version,
                 event.transaction_id],
            )  # fmt: skip
        case PractitionerAssigned() | PractitionerReassigned():
            await conn.execute(
                "UPDATE entitlement SET practitioner_id = %s, version = %s WHERE transaction_id = %s",
                [event.practitioner_id, version, event.transaction_id],
            )
        case _:
            await conn.execute(
                "UPDATE entitlement SET status = coalesce(%s, status), version = %s WHERE transaction_id = %s",
                [status_after(event), version, event.transaction_id],
            )


def status_after(event: TransactionEvent) -> str | None:
    match event:
        case TransactionExpired():
            return "expired"
        case TransactionCanceled():
            return "canceled"
        case RefundRequested() if event.review_id is None:
            return "refund_requested"
        case TransactionRefunded() if event.review_id is None:
            return "refunded"
        case RefundFailed() if event.review_id is None:
            return "paid"
        case _:
            return None


async def _created(conn: Connection, event: TransactionCreated, version: int) -> None:
    await conn.execute(
        "INSERT INTO entitlement (transaction_id, user_id, practitioner_id, status, kind, request_limit_minutes, "
        "auto_start, version, product_name, duration_minutes) "
        "VALUES (%s, %s, %s, 'awaiting_payment', %s, %s, %s, %s, %s, %s)",
        [event.transaction_id, event.user_id, event.practitioner_id, event.product.kind,
         event.request_limit_minutes, event.auto_start, version, event.product.name, event.product.duration_minutes],
    )  # fmt: skip


def _entitlement(row: dict[str, Any]) -> Entitlement | None:
    if row["transaction_id"] is None:
        return None
    return Entitlement(
        transaction_id=row["transaction_id"],
        user_id=row["user_id"],
        practitioner_id=row["practitioner_id"],
        status=row["status"],
        kind=row["kind"],
        request_limit_minutes=row["request_limit_minutes"],
        auto_start=row["auto_start"],
        version=row["version"],
    )


def _assessment(row: dict[str, Any]) -> Assessment | None:
    if row["assessment_id"] is None:
        return None
    return Assessment(row["assessment_id"], row["assessment_user_id"])


def _remembered(row: dict[str, Any]) -> Remembered | None:
    if row["key_sha"] is None:
        return None
    return Remembered(bytes(row["key_sha"]), row["key_status"], row["key_object_id"], row["key_version"])


@dataclass(frozen=True, slots=True)
class KeptAssessment:
    """An assessment as it is now; `created` when the last write made it."""

    id: UUID
    user_id: UUID
    completed_at: datetime
    version: int
    created: bool = False


class OtherOwner(Exception):
    """Whose an assessment is, is written once (events.md)."""


async def keep_assessment(
    conn: Connection, assessment_id: UUID, user_id: UUID, completed_at: datetime
) -> KeptAssessment:
    """Create or change an assessment; the same again changes nothing. OtherOwner when it is another member's."""
    async with conn.cursor(row_factory=class_row(KeptAssessment)) as cursor:
        await cursor.execute(
            "INSERT INTO assessment AS a (id, user_id, completed_at, version) "
            "VALUES (%(id)s, %(user)s, %(at)s, 1) "
            "ON CONFLICT (id) DO UPDATE SET completed_at = excluded.completed_at, "
            "version = a.version + (a.completed_at <> excluded.completed_at)::int WHERE a.user_id = excluded.user_id "
            # xmax is 0 in a row that this statement inserted, and the updater's in one that it found.
            "RETURNING a.id, a.user_id, a.completed_at, a.version, (a.xmax = 0) AS created",
            {"id": assessment_id, "user": user_id, "at": completed_at},
        )
        kept = await cursor.fetchone()
    if kept is None:
        raise OtherOwner(f"assessment {assessment_id} belongs to another member")
    return kept


async def assessments(
    conn: Connection, user_id: UUID | None, *, limit: int, after: tuple[datetime, UUID] | None
) -> list[KeptAssessment]:
    """A page of a member's assessments, or of everybody's, the last completed first."""
    conditions = ["user_id = %(user_id)s"] if user_id else []
    conditions += ["(completed_at, id) < (%(at)s, %(id)s)"] if after else []
    at, last = after or (None, None)
    # The limit in the text: for a parameter PostgreSQL guesses a tenth of the table.
    query = (
        f"SELECT id, user_id, completed_at, version FROM assessment WHERE {' AND '.join(conditions) or 'true'} "  # noqa: S608 - constants
        f"ORDER BY completed_at DESC, id DESC LIMIT {int(limit)}"
    )
    async with conn.cursor(row_factory=class_row(KeptAssessment)) as cursor:
        await cursor.execute(query.encode(), {"user_id": user_id, "at": at, "id": last})
        return await cursor.fetchall()


async def assessment_of(conn: Connection, assessment_id: UUID, *, locked: bool = False) -> KeptAssessment | None:
    """The assessment as it is now; `locked` until the transaction ends."""
    async with conn.cursor(row_factory=class_row(KeptAssessment)) as cursor:
        await cursor.execute(
            _ASSESSMENT_LOCKED if locked else _ASSESSMENT,
            [assessment_id],
        )
        return await cursor.fetchone()
