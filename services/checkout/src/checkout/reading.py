"""Reading Transactions: rows for lists, the stream for history and for the past (E2, E5)."""

import json
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from booking_contracts.event import Instant
from booking_store import load
from booking_web.problems import not_found
from checkout.payments import sessions
from checkout.payments.reviews import ReviewRow
from checkout.transaction.row import review_row
from checkout.transaction.state import Absent, Existing, State, evolve
from checkout.transaction.stream import TRANSACTION, read_at
from checkout.transaction.view import TransactionView, view_of, view_of_state


class HistoryItem(BaseModel):
    """One thing that happened. `reason` is somebody's words; once erased it is null and named in `erased`."""

    version: int
    type: str = Field(examples=["TransactionPaid"])
    occurred_at: Instant
    actor: str = Field(examples=["service:midtrans"])
    data: dict[str, Any] = Field(examples=[{"paid_at": "2026-12-01T02:00:00Z"}])
    reason: str | None = Field(default=None, examples=[None])
    erased: list[str] = Field(default=[], examples=[[]])


async def one(conn: psycopg.AsyncConnection[Any], transaction_id: UUID) -> TransactionView | None:
    """Return a Transaction as it is now."""
    found = await _rows(conn, "t.id = %(id)s", {"id": transaction_id}, 1)
    return found[0] if found else None


async def page(
    conn: psycopg.AsyncConnection[Any], *, owner: UUID | None, status: str | None, below: UUID | None, limit: int
) -> list[TransactionView]:
    """Return Transactions, newest first (ids are UUIDv7), of one member or of all."""
    wanted = {"t.user_id = %(owner)s": owner, "t.status = %(status)s": status, "t.id < %(below)s": below}
    where = " AND ".join(condition for condition, value in wanted.items() if value is not None) or "true"
    return await _rows(conn, where, {"owner": owner, "status": status, "below": below}, limit)


async def at_version(conn: psycopg.AsyncConnection[Any], transaction_id: UUID, version: int) -> TransactionView:
    """Return a Transaction as it was at a version; its page's address as it is now."""
    return await view(conn, transaction_id, *await read_at(conn, transaction_id, version=version))


async def as_of(conn: psycopg.AsyncConnection[Any], transaction_id: UUID, instant: datetime) -> TransactionView:
    """Return the fold of what was recorded by an instant (E5); 404 before the first event."""
    return await view(conn, transaction_id, *await read_at(conn, transaction_id, instant=instant))


async def review_at(conn: psycopg.AsyncConnection[Any], row: ReviewRow, version: int) -> ReviewRow:
    """Return a review as it was at this version of its Transaction: each command that changed its row raised its own.

    The events of one command share their instant.
    """
    assert row.transaction_id is not None
    stored = [
        one
        for one in await load(conn, row.transaction_id, up_to_version=version)
        if one.stream_type == TRANSACTION.stream_type
    ]
    state: State = Absent()
    shown: dict[str, Any] | None = None
    versions = 0
    for _, command in groupby(stored, key=lambda one: one.occurred_at):
        for one in command:
            state = evolve(state, one.event, one.occurred_at)
        now = None if isinstance(state, Absent) else _shown(state, row.id)
        if now != shown:
            shown, versions = now, versions + 1
    if shown is None:
        raise AssertionError("a review that was settled was opened before")
    return replace(
        row,
        direction=shown["direction"],
        returned_amount=shown["returned"],
        refundable_amount=shown["refundable"],
        state=shown["state"],
        outcome=shown["outcome"],
        version=versions,
    )


def _shown(state: Existing, review_id: UUID) -> dict[str, Any] | None:
    return next((review_row(one, state) for one in state.reviews if one.id == review_id), None)


async def history(conn: psycopg.AsyncConnection[Any], transaction_id: UUID) -> list[HistoryItem]:
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


async def view(conn: psycopg.AsyncConnection[Any], transaction_id: UUID, state: State, version: int) -> TransactionView:
    """Return what was read as the API shows it; 404 for a Transaction that isn't there."""
    if isinstance(state, Absent):
        raise not_found()
    return view_of_state(state, version, await sessions.redirect_url(conn, transaction_id))


async def _rows(
    conn: psycopg.AsyncConnection[Any], where: str, parameters: dict[str, Any], limit: int
) -> list[TransactionView]:
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(
        f"SELECT t.*, s.redirect_url FROM transaction t LEFT JOIN payment_session s ON s.transaction_id = t.id"  # noqa: S608  # pyright: ignore[reportArgumentType]
        f" WHERE {where} ORDER BY t.id DESC LIMIT %(limit)s",
        {**parameters, "limit": limit},
    )
    return [view_of(row, row["redirect_url"]) for row in await cursor.fetchall()]
