"""Reading Transactions as the API shows them: rows for lists, the stream for history and for the past (E2, E5)."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import sqlalchemy as sa
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field

from booking_contracts.event import Instant, ProductKind
from booking_contracts.sessions import SessionStatus
from booking_contracts.topics import TRANSACTIONS
from booking_process.database import Filtered
from booking_store import Connection, load_latest
from booking_web.auth import Principal
from booking_web.problems import not_found
from checkout.fields import MoneyView
from checkout.tables import consulted_session, payment_session, person, practitioner, transaction
from checkout.transactions.decider import BEGUN, PersonalCommand, allowed
from checkout.transactions.state import Absent, Existing, State, Status
from checkout.transactions.store import Beside, beside_of, read_at, read_row

EVENT_TYPES = tuple(event.TYPE for event in TRANSACTIONS.events)
RefundStatus = Literal["requested", "succeeded", "failed"]
ENUMERATIONS = {
    "TransactionStatus": get_args(Status),
    "RefundStatus": get_args(RefundStatus),
    "ProductKind": get_args(ProductKind),
}
OPEN_ENUMERATIONS = {"TransactionEventType": EVENT_TYPES}
"""What the document calls by name; the open ones may grow."""
EXAMPLE_ID = "0198d2a0-1111-7000-8000-000000000001"


class SoldProduct(BaseModel):
    id: UUID
    name: str = Field(examples=["Konseling 60 menit"])
    kind: Literal["verification", "counseling"]
    tier: str = Field(examples=["gold"])
    duration_minutes: int = Field(examples=[60])


class PaymentView(BaseModel, title="Payment"):
    """How to pay. `redirect_url` is null until the provider gave a page."""

    provider: str = Field(examples=["midtrans"])
    reference: str = Field(examples=[EXAMPLE_ID])
    redirect_url: str | None = Field(examples=["https://app.midtrans.com/snap/v4/redirection/1"])
    expires_at: Instant


class RefundView(BaseModel, title="Refund"):
    id: UUID
    status: RefundStatus
    amount: MoneyView
    requested_at: Instant
    settled_at: Instant | None


class SoldSession(BaseModel, title="TransactionSession"):
    """The session on a Transaction, as consultation has told of it; consultation itself may be a moment ahead."""

    id: UUID
    status: SessionStatus = Field(examples=["scheduled"])


class TransactionView(BaseModel, title="Transaction"):
    """A sale: one member, one product, one practitioner."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(examples=[EXAMPLE_ID])
    status: Status
    product: SoldProduct
    practitioner_id: UUID
    practitioner_name: str | None = Field(examples=["Budi Santoso"])
    user_id: UUID
    member_name: str | None = Field(examples=["Sari Dewi"])
    session: SoldSession | None = Field(
        description="The one that has begun, else the latest that was requested. Null with `as_of`."
    )
    price: MoneyView
    payment: PaymentView
    refund: RefundView | None = Field(examples=[None])
    paid_at: Instant | None = Field(examples=[None])
    created_at: Instant
    allowed_commands: list[PersonalCommand] = Field(
        description="What the caller may do to it now, as far as its status tells; empty with `as_of`.",
        examples=[["cancel"]],
    )
    version: int = Field(examples=[2])
    erased: list[str] = Field(default=[], description="What is null because it was erased (E5).", examples=[[]])


def view_of(row: dict[str, Any], reader: Principal | None) -> TransactionView:
    """Show a read row to that person, or a fold in its shape: both have the same columns, and those of `Beside`.

    `reader` is None for the past: it has no session, and nobody does anything to it.
    """
    names = ("practitioner_name", "member_name")
    return TransactionView.model_validate(
        {
            **row,
            "session": {"id": row["session_id"], "status": row["session_status"]}
            if reader and row["session_id"]
            else None,
            "allowed_commands": _allowed(row, reader) if reader else [],
            "erased": [name for name in names if row[name.replace("_name", "_erased")]],
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
                "redirect_url": row["redirect_url"],
                "expires_at": row["expires_at"],
            },
            "refund": _refund(row),
        }
    )


def view_of_state(state: Existing, version: int, beside: Beside, reader: Principal | None) -> TransactionView:
    """Show a folded state."""
    return view_of({**read_row(state), "id": state.sale.transaction_id, "version": version, **asdict(beside)}, reader)


def _allowed(row: dict[str, Any], reader: Principal) -> tuple[PersonalCommand, ...]:
    return allowed(
        row["status"],
        refunding=row["refund_status"] == "requested",
        begun=row["session_status"] in BEGUN,
        is_owner=reader.has("member") and reader.sub == row["user_id"],
        is_admin=reader.has("admin"),
    )


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


class HistoryItem(BaseModel, title="TransactionHistoryItem"):
    """One thing that happened. `reason` is somebody's words; once erased it is null and named in `erased`."""

    version: int
    type: str = Field(examples=["TransactionPaid"], json_schema_extra={"enum": [*EVENT_TYPES]})
    occurred_at: Instant
    actor: str = Field(examples=["service:midtrans"])
    data: dict[str, Any] = Field(examples=[{"paid_at": "2026-12-01T02:00:00Z"}])
    reason: str | None = Field(default=None, examples=[None])
    erased: list[str] = Field(default=[], examples=[[]])


async def one(conn: Connection, transaction_id: UUID, reader: Principal) -> TransactionView | None:
    """Return a Transaction as it is now."""
    found = await _rows(conn, reader, id=transaction_id)
    return found[0] if found else None


async def page(
    conn: Connection,
    reader: Principal,
    *,
    owner: UUID | None,
    limit: int,
    status: str | None = None,
    ids: list[UUID] | None = None,
    below: UUID | None = None,
) -> list[TransactionView]:
    """Return Transactions, newest first (ids are UUIDv7), of one member or of all."""
    return await _rows(conn, reader, limit=limit, owner=owner, status=status, ids=ids, below=below)


async def at_version(conn: Connection, transaction_id: UUID, version: int, reader: Principal) -> TransactionView:
    """Return a Transaction as it was at a version; what it shows beside itself as that is now."""
    return await _view(conn, transaction_id, reader, *await read_at(conn, transaction_id, version=version))


async def as_of(conn: Connection, transaction_id: UUID, instant: datetime) -> TransactionView:
    """Return the fold of what was recorded by an instant (E5); 404 before the first event."""
    return await _view(conn, transaction_id, None, *await read_at(conn, transaction_id, instant=instant))


async def history(conn: Connection, transaction_id: UUID, *, limit: int, below: int) -> list[HistoryItem]:
    """Return events of a Transaction of versions under `below`, newest first, with the words that are still there."""
    stored = await load_latest(conn, transaction_id, limit=limit, below=below)
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


async def _view(
    conn: Connection, transaction_id: UUID, reader: Principal | None, state: State, version: int
) -> TransactionView:
    if isinstance(state, Absent):
        raise not_found()
    return view_of_state(state, version, await beside_of(conn, transaction_id), reader)


def _named(people: sa.Table, id_: sa.Column[UUID], name: str) -> sa.FromClause:
    """A person's name beside each row: by its key, whatever was planned on empty tables (OFFSET 0 keeps it so)."""
    erased = people.c.erased_at.is_not(None)
    return (
        sa.select(sa.case((~erased, people.c.name)).label(f"{name}_name"), erased.label(f"{name}_erased"))
        .where(people.c.id == id_)
        .offset(sa.literal_column("0"))
        .lateral(name)
    )


_PRACTITIONER = _named(practitioner, transaction.c.practitioner_id, "practitioner")
_MEMBER = _named(person, transaction.c.user_id, "member")
_SESSION = (
    sa.select(consulted_session.c.session_id, consulted_session.c.status.label("session_status"))
    .where(consulted_session.c.transaction_id == transaction.c.id)
    .order_by(
        sa.literal_column("consulted_session.status IN ('on_progress', 'completed')").desc(),
        consulted_session.c.session_id.desc(),
    )
    .limit(sa.literal_column("1"))
    .lateral("session")
)
_TRANSACTIONS = Filtered(
    sa.select(transaction, payment_session.c.redirect_url, _PRACTITIONER, _MEMBER, _SESSION)
    .join_from(transaction, payment_session, payment_session.c.transaction_id == transaction.c.id, isouter=True)
    .join(_PRACTITIONER, sa.true(), isouter=True)
    .join(_MEMBER, sa.true(), isouter=True)
    .join(_SESSION, sa.true(), isouter=True)
    .order_by(transaction.c.id.desc()),
    id=transaction.c.id,
    owner=transaction.c.user_id,
    status=transaction.c.status,
    ids=transaction.c.id == sa.func.any(sa.bindparam("ids")),
    below=transaction.c.id < sa.bindparam("below"),
)


async def _rows(conn: Connection, reader: Principal, **wanted: Any) -> list[TransactionView]:
    rows = await _TRANSACTIONS.fetch(conn.cursor(row_factory=dict_row), **wanted)
    return [view_of(row, reader) for row in rows]
