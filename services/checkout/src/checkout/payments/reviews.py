"""Reviews: money that fits nothing and waits for an admin (P4). One that names no Transaction of ours has no stream."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import class_row

from booking_contracts.ids import uuid7
from booking_contracts.transactions import ReviewCause
from booking_process.database import Filtered
from booking_store import Connection, FreeText, load
from checkout.payments.provider import Heard, Notification
from checkout.tables import payment_review
from checkout.transactions.state import Absent, Existing, State, evolve
from checkout.transactions.store import TRANSACTION, review_row

WITHOUT_STREAM = ("unknown_transaction", "unreadable")
_SAME = sql.SQL(
    "provider = %(provider)s AND payment_id = %(payment_id)s AND reference = %(reference)s AND transaction_id IS NULL"
)
_OPEN = sql.SQL("""
INSERT INTO payment_review (id, reference, provider, payment_id, received_amount, received_currency, refundable_amount,
    cause, state, created_at)
SELECT %(id)s, %(reference)s, %(provider)s, %(payment_id)s, %(amount)s::bigint, %(currency)s,
    CASE WHEN %(cause)s = 'unreadable' THEN NULL ELSE %(amount)s::bigint END, %(cause)s, 'open', %(now)s
WHERE NOT EXISTS (SELECT 1 FROM payment_review WHERE {same}
    AND received_amount IS NOT DISTINCT FROM %(amount)s::bigint AND cause = %(cause)s)
""").format(same=_SAME)
_KNOWN = sql.SQL("""
SELECT id, state, received_amount, coalesce(returned_amount, 0) + coalesce((SELECT sum(f.amount) FROM refund f
    WHERE f.review_id = r.id AND f.status <> 'failed'), 0)::bigint, refundable_amount
FROM payment_review r WHERE {same} AND received_currency = %(currency)s AND cause = 'unknown_transaction' ORDER BY id
""").format(same=_SAME)
_UPDATE = """
UPDATE payment_review SET received_amount = %(amount)s, direction = %(direction)s, returned_amount = %(returned)s,
    refundable_amount = %(refundable)s, version = version + 1
WHERE id = %(id)s AND (received_amount, direction, returned_amount, refundable_amount) IS DISTINCT FROM
    (%(amount)s::bigint, %(direction)s::text, %(returned)s::bigint, %(refundable)s::bigint)
"""
_INSERT = """
INSERT INTO payment_review (id, reference, provider, payment_id, received_amount, received_currency, direction,
    returned_amount, refundable_amount, cause, state, created_at)
VALUES (%(id)s, %(reference)s, %(provider)s, %(payment_id)s, %(amount)s, %(currency)s, %(direction)s, %(returned)s,
    %(refundable)s, 'unknown_transaction', 'open', %(now)s)
"""
_MATCHED = sql.SQL("""
UPDATE payment_review SET state = 'settled', outcome = 'matched', transaction_id = %(transaction_id)s,
    version = version + 1
WHERE {same} AND state = 'open'
""").format(same=_SAME)


async def open_without_stream(conn: Connection, said: Notification, cause: "Cause", now: datetime) -> None:
    """Open a review for this payment unless there is one; its row lock (`notifications.py`) makes that safe."""
    await conn.execute(
        _OPEN,
        {
            **_named(said),
            "id": uuid7(),
            "amount": said.amount.amount if said.amount else None,
            "currency": said.amount.currency if said.amount else None,
            "cause": cause,
            "now": now,
        },
    )


async def follow(conn: Connection, said: Notification, heard: Heard, now: datetime) -> None:
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
    known = await (await conn.execute(_KNOWN, values)).fetchall()
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


async def matched(conn: Connection, said: Notification, transaction_id: UUID) -> None:
    """The Transaction appeared: its stream has the say now."""
    await conn.execute(_MATCHED, {**_named(said), "transaction_id": transaction_id})


def _named(said: Notification) -> dict[str, Any]:
    return {"provider": said.provider, "payment_id": said.payment_id, "reference": said.reference}


Cause = Literal[ReviewCause, "unreadable", "unknown_transaction"]


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
    cause: Cause
    state: Literal["open", "settled"]
    outcome: Literal["refund", "dismiss", "matched"] | None
    created_at: datetime
    version: int


_REVIEWS = Filtered(
    sa.select(*(payment_review.c[name] for name in ReviewRow.__slots__)).order_by(payment_review.c.id.desc()),
    id=payment_review.c.id,
    state=payment_review.c.state,
    below=payment_review.c.id < sa.bindparam("below"),
)


async def find(conn: Connection, review_id: UUID, *, lock: bool = False) -> ReviewRow | None:
    """Return a review."""
    found = await _REVIEWS.fetch(conn.cursor(row_factory=class_row(ReviewRow)), lock=lock, id=review_id)
    return found[0] if found else None


async def newest(conn: Connection, *, state: str | None, below: UUID | None, limit: int) -> list[ReviewRow]:
    """Return reviews, newest first."""
    return await _REVIEWS.fetch(conn.cursor(row_factory=class_row(ReviewRow)), limit=limit, state=state, below=below)


async def settle_without_stream(
    conn: Connection, review: ReviewRow, outcome: str, text: FreeText, now: datetime
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


async def reopen(conn: Connection, review_id: UUID) -> None:
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


async def review_at(conn: Connection, row: ReviewRow, version: int) -> ReviewRow:
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
        now = None if isinstance(state, Absent) else _row_in(state, row.id)
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


def _row_in(state: Existing, review_id: UUID) -> dict[str, Any] | None:
    return next((review_row(one, state) for one in state.reviews if one.id == review_id), None)
