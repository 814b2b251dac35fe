"""Reviews of money that names no Transaction of ours: rows without a stream (P4)."""

# ruff: noqa: S608 - the statements are put together from constants
# pyright: reportArgumentType=false, reportCallIssue=false
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from booking_contracts.ids import uuid7
from booking_store import FreeText
from checkout.payments.heard import Heard
from checkout.payments.provider import Notification

_UPDATE = (
    "UPDATE payment_review SET received_amount = %(amount)s, direction = %(direction)s, returned_amount = %(returned)s,"
    " refundable_amount = %(refundable)s, version = version + 1 WHERE id = %(id)s"
    " AND (received_amount, direction, returned_amount, refundable_amount) IS DISTINCT FROM"
    " (%(amount)s::bigint, %(direction)s::text, %(returned)s::bigint, %(refundable)s::bigint)"
)
_INSERT = (
    "INSERT INTO payment_review (id, reference, provider, payment_id, received_amount, received_currency, direction,"
    " returned_amount, refundable_amount, cause, state, created_at) VALUES (%(id)s, %(reference)s, %(provider)s,"
    " %(payment_id)s, %(amount)s, %(currency)s, %(direction)s, %(returned)s, %(refundable)s, 'unknown_transaction',"
    " 'open', %(now)s)"
)
WITHOUT_STREAM = ("unknown_transaction", "unreadable")
_SAME = (
    "provider = %(provider)s AND payment_id = %(payment_id)s AND reference = %(reference)s AND transaction_id IS NULL"
)


async def open_without_stream(
    conn: psycopg.AsyncConnection[Any], said: Notification, cause: str, now: datetime
) -> None:
    """Open a review for this payment unless there is one; its row lock (`stored.count`) makes that safe."""
    await conn.execute(
        "INSERT INTO payment_review (id, reference, provider, payment_id, received_amount, received_currency,"
        " refundable_amount, cause, state, created_at) SELECT %(id)s, %(reference)s, %(provider)s, %(payment_id)s,"
        " %(amount)s::bigint, %(currency)s, CASE WHEN %(cause)s = 'unreadable' THEN NULL ELSE %(amount)s::bigint END,"
        f" %(cause)s, 'open', %(now)s WHERE NOT EXISTS (SELECT 1 FROM payment_review WHERE {_SAME}"
        " AND received_amount IS NOT DISTINCT FROM %(amount)s::bigint AND cause = %(cause)s)",
        {
            **_named(said),
            "id": uuid7(),
            "amount": said.amount.amount if said.amount else None,
            "currency": said.amount.currency if said.amount else None,
            "cause": cause,
            "now": now,
        },
    )


async def follow(conn: psycopg.AsyncConnection[Any], said: Notification, heard: Heard, now: datetime) -> None:
    """Bring the review of a payment that names no Transaction in line with all that was said of it.

    While money of it is here there is an open review, or one that was settled knowing as much; when all went back,
    nothing is left to settle.
    """
    if heard.received is None:
        return
    values = {
        **_named(said),
        "amount": heard.received,
        "currency": heard.currency,
        "direction": "out" if heard.returned or heard.unclear else "in",
        "returned": heard.returned or None,
        "refundable": heard.left.amount if heard.left else None,
    }
    found = await conn.execute(
        "SELECT id, state, received_amount, coalesce(returned_amount, 0) + coalesce((SELECT sum(f.amount) FROM refund f"
        " WHERE f.review_id = r.id AND f.status <> 'failed'), 0)::bigint, refundable_amount FROM payment_review r"
        f" WHERE {_SAME} AND received_currency = %(currency)s AND cause = 'unknown_transaction' ORDER BY id",
        values,
    )
    known = await found.fetchall()
    still_open = [review_id for review_id, state, *_ in known if state == "open"]
    if heard.gone:
        await conn.execute(
            "UPDATE payment_review SET state = 'settled', outcome = 'refund', version = version + 1 WHERE id = ANY(%s)",
            [still_open],
        )
    elif still_open:
        await conn.execute(_UPDATE, {**values, "id": still_open[0]})
    elif not known or _is_news(heard, *known[-1][2:]):
        await conn.execute(_INSERT, {**values, "id": uuid7(), "now": now})


def _is_news(heard: Heard, received: int, gone: int, refundable: int | None) -> bool:
    """Whether more is known than when the last review was settled; `gone` counts the refund that it led to."""
    received_now = heard.received or 0
    return received_now > received or heard.returned > gone or (heard.unclear and refundable is not None)


async def matched(conn: psycopg.AsyncConnection[Any], said: Notification, transaction_id: UUID) -> None:
    """The Transaction appeared: its stream has the say now."""
    await conn.execute(
        "UPDATE payment_review SET state = 'settled', outcome = 'matched', transaction_id = %(transaction_id)s,"
        f" version = version + 1 WHERE {_SAME} AND state = 'open'",
        {**_named(said), "transaction_id": transaction_id},
    )


def _named(said: Notification) -> dict[str, Any]:
    return {"provider": said.provider, "payment_id": said.payment_id, "reference": said.reference}


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as the list shows it."""

    id: UUID
    transaction_id: UUID | None
    provider: str
    payment_id: str
    reference: str
    received_amount: int | None
    received_currency: str | None
    expected_amount: int | None
    expected_currency: str | None
    direction: Literal["in", "out"]
    returned_amount: int | None
    refundable_amount: int | None
    cause: str
    state: Literal["open", "settled"]
    outcome: Literal["refund", "dismiss", "matched"] | None
    created_at: datetime
    version: int


_COLUMNS = ", ".join(ReviewRow.__slots__)


async def find(conn: psycopg.AsyncConnection[Any], review_id: UUID, *, lock: bool = False) -> ReviewRow | None:
    """Return a review."""
    cursor = conn.cursor(row_factory=class_row(ReviewRow))
    suffix = " FOR UPDATE" if lock else ""
    await cursor.execute(f"SELECT {_COLUMNS} FROM payment_review WHERE id = %s{suffix}", [review_id])
    return await cursor.fetchone()


async def page(
    conn: psycopg.AsyncConnection[Any], *, state: str | None, below: UUID | None, limit: int
) -> list[ReviewRow]:
    """Return reviews, newest first."""
    conditions = {"state = %(state)s": state, "id < %(below)s": below}
    where = " AND ".join(text for text, value in conditions.items() if value is not None) or "true"
    cursor = conn.cursor(row_factory=class_row(ReviewRow))
    await cursor.execute(
        f"SELECT {_COLUMNS} FROM payment_review WHERE {where} ORDER BY id DESC LIMIT %(limit)s",
        {"state": state, "below": below, "limit": limit},
    )
    return await cursor.fetchall()


async def settle_without_stream(
    conn: psycopg.AsyncConnection[Any], review: ReviewRow, outcome: str, text: FreeText, now: datetime
) -> None:
    """Settle a review that names no Transaction: its row alone changes, the money goes back by the refunds' worker."""
    await conn.execute(
        "UPDATE payment_review SET state = 'settled', outcome = %s, version = version + 1 WHERE id = %s",
        [outcome, review.id],
    )
    await conn.execute(
        "INSERT INTO free_text (id, author_id, text) VALUES (%s, %s, %s)", [text.id, text.author_id, text.text]
    )
    if outcome == "refund":
        await conn.execute(
            "INSERT INTO refund (id, review_id, provider, reference, payment_id, amount, currency, status,"
            " requested_at, next_attempt_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 'requested', %s, %s)",
            [
                uuid7(),
                review.id,
                review.provider,
                review.reference,
                review.payment_id,
                review.refundable_amount,
                review.received_currency,
                now,
                now,
            ],
        )


async def reopen(conn: psycopg.AsyncConnection[Any], review_id: UUID) -> None:
    """The provider's final no: an admin may try again or dismiss (P5), unless all went back meanwhile."""
    found = await conn.execute(
        "SELECT p.currency, p.received, p.returned, p.partly, p.whole, p.voided, p.denied FROM payment p"
        " JOIN payment_review r USING (provider, payment_id) WHERE r.id = %s FOR UPDATE",
        [review_id],
    )
    row = await found.fetchone()
    heard = Heard(*row) if row else Heard()
    if heard.gone:
        return
    await conn.execute(
        "UPDATE payment_review SET state = 'open', outcome = NULL, version = version + 1,"
        " refundable_amount = CASE WHEN received_currency = %s THEN %s ELSE refundable_amount END WHERE id = %s",
        [heard.currency, heard.left.amount if heard.left else None, review_id],
    )
