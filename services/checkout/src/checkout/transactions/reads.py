"""Reading Transactions as the API shows them: rows for lists, the stream for history and for the past (E2, E5)."""

import json
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field

from booking_contracts.event import Instant
from booking_process.database import Filtered
from booking_store import Connection, load
from booking_web.problems import not_found
from checkout.fields import MoneyView
from checkout.tables import payment_session, transaction
from checkout.transactions.state import Absent, Existing, State, Status
from checkout.transactions.store import TRANSACTION, read_at, read_row

EXAMPLE_ID = "0198d2a0-1111-7000-8000-000000000001"


class SoldProduct(BaseModel):
    id: UUID
    name: str = Field(examples=["Konseling 60 menit"])
    kind: Literal["verification", "counseling"]
    tier: str = Field(examples=["gold"])
    duration_minutes: int = Field(examples=[60])


class PaymentView(BaseModel):
    """How to pay. `redirect_url` is null until the provider gave a page."""

    provider: str = Field(examples=["midtrans"])
    reference: str = Field(examples=[EXAMPLE_ID])
    redirect_url: str | None = Field(examples=["https://app.midtrans.com/snap/v4/redirection/1"])
    expires_at: Instant


class RefundView(BaseModel):
    id: UUID
    status: Literal["requested", "succeeded", "failed"]
    amount: MoneyView
    requested_at: Instant
    settled_at: Instant | None


class TransactionView(BaseModel):
    """A sale: one member, one product, one practitioner."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(examples=[EXAMPLE_ID])
    status: Status
    product: SoldProduct
    practitioner_id: UUID
    user_id: UUID
    price: MoneyView
    payment: PaymentView
    refund: RefundView | None = Field(examples=[None])
    paid_at: Instant | None = Field(examples=[None])
    created_at: Instant
    version: int = Field(examples=[2])
    erased: list[str] = Field(default=[], description="What was erased since, with `as_of` (E5).", examples=[[]])


def view_of(row: dict[str, object], redirect_url: str | None) -> TransactionView:
    """Show a read row, or a fold in its shape: both have the same columns."""
    return TransactionView.model_validate(
        {
            **row,
            "product": {
                "id": row["product_id"],
                "name": row["product_name"],
                "kind": row["kind"],
                "tier": row["tier"],
                "duration_minutes": row["duration_minutes"],
            },
            "price": _money(row, "amount"),
            "payment": {
                "provider": row["provider"],
                "reference": row["reference"],
                "redirect_url": redirect_url,
                "expires_at": row["expires_at"],
            },
            "refund": _refund(row),
        }
    )


def view_of_state(state: Existing, version: int, redirect_url: str | None) -> TransactionView:
    """Show a folded state."""
    return view_of({**read_row(state), "id": state.sale.transaction_id, "version": version}, redirect_url)


def _refund(row: dict[str, object]) -> dict[str, object] | None:
    if row["refund_id"] is None:
        return None
    return {
        "id": row["refund_id"],
        "status": row["refund_status"],
        "amount": _money(row, "refund_amount"),
        "requested_at": row["refund_requested_at"],
        "settled_at": row["refund_settled_at"],
    }


def _money(row: dict[str, object], column: str) -> dict[str, object]:
    return {"amount": row[column], "currency": row["currency"]}


class HistoryItem(BaseModel):
    """One thing that happened. `reason` is somebody's words; once erased it is null and named in `erased`."""

    version: int
    type: str = Field(examples=["TransactionPaid"])
    occurred_at: Instant
    actor: str = Field(examples=["service:midtrans"])
    data: dict[str, Any] = Field(examples=[{"paid_at": "2026-12-01T02:00:00Z"}])
    reason: str | None = Field(default=None, examples=[None])
    erased: list[str] = Field(default=[], examples=[[]])


async def one(conn: Connection, transaction_id: UUID) -> TransactionView | None:
    """Return a Transaction as it is now."""
    found = await _rows(conn, id=transaction_id)
    return found[0] if found else None


async def page(
    conn: Connection, *, owner: UUID | None, status: str | None, below: UUID | None, limit: int
) -> list[TransactionView]:
    """Return Transactions, newest first (ids are UUIDv7), of one member or of all."""
    return await _rows(conn, limit=limit, owner=owner, status=status, below=below)


async def at_version(conn: Connection, transaction_id: UUID, version: int) -> TransactionView:
    """Return a Transaction as it was at a version; its page's address as it is now."""
    return await view(conn, transaction_id, *await read_at(conn, transaction_id, version=version))


async def as_of(conn: Connection, transaction_id: UUID, instant: datetime) -> TransactionView:
    """Return the fold of what was recorded by an instant (E5); 404 before the first event."""
    return await view(conn, transaction_id, *await read_at(conn, transaction_id, instant=instant))


async def history(conn: Connection, transaction_id: UUID) -> list[HistoryItem]:
    """Return every event of a Transaction, newest first as all lists, with the words that are still there."""
    stored = [one for one in reversed(await load(conn, transaction_id)) if one.stream_type == TRANSACTION.stream_type]
    datas = [json.loads(one.data) for one in stored]
    found = await conn.execute("SELECT id, text FROM free_text WHERE transaction_id = %s", [transaction_id])
    texts: dict[str, str] = {str(row[0]): row[1] for row in await found.fetchall()}
    return [
        HistoryItem(
            version=one.version,
            type=one.type,
            occurred_at=one.occurred_at,
            actor=one.actor,
            data=data,
            reason=texts.get(data.get("reason_id", "")),
            erased=["reason"] if "reason_id" in data and data["reason_id"] not in texts else [],
        )
        for one, data in zip(stored, datas, strict=True)
    ]


async def view(conn: Connection, transaction_id: UUID, state: State, version: int) -> TransactionView:
    """Return what was read as the API shows it; 404 for a Transaction that isn't there."""
    if isinstance(state, Absent):
        raise not_found()
    return view_of_state(state, version, await _redirect_url(conn, transaction_id))


async def _redirect_url(conn: Connection, transaction_id: UUID) -> str | None:
    """The payment page's address, None as long as the provider gave none."""
    found = await conn.execute("SELECT redirect_url FROM payment_session WHERE transaction_id = %s", [transaction_id])
    row = await found.fetchone()
    return row[0] if row else None


_TRANSACTIONS = Filtered(
    sa.select(transaction, payment_session.c.redirect_url)
    .join_from(transaction, payment_session, payment_session.c.transaction_id == transaction.c.id, isouter=True)
    .order_by(transaction.c.id.desc()),
    id=transaction.c.id,
    owner=transaction.c.user_id,
    status=transaction.c.status,
    below=transaction.c.id < sa.bindparam("below"),
)


async def _rows(conn: Connection, **wanted: Any) -> list[TransactionView]:
    rows = await _TRANSACTIONS.fetch(conn.cursor(row_factory=dict_row), **wanted)
    return [view_of(row, row["redirect_url"]) for row in rows]
