"""The Transaction as the command handler takes it: what append.sql writes beside the events, of the states alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from booking_contracts.topics import TRANSACTIONS
from booking_contracts.transactions import (
    PaymentReviewSettled,
    RefundFailed,
    RefundRequested,
    TransactionRefunded,
)
from booking_store import (
    Aggregate,
    AppendSql,
    Change,
    CommandContext,
    Connection,
    GuardFailed,
    IdempotencyKey,
    LoadBeside,
    Loaded,
    Refused,
    StoreError,
    load,
)
from checkout.transactions.commands import Command, Create, Reassign, Refusal, ReportPayment
from checkout.transactions.decider import decide
from checkout.transactions.state import (
    STATUS,
    Absent,
    AwaitingPayment,
    Existing,
    Paid,
    Refunded,
    Review,
    State,
    evolve,
    left_of,
    practitioner_of,
)

MOST_UNPAID = 20  # Transactions of one member that await payment (api.md, T8)


def read_row(state: Existing) -> dict[str, Any]:
    """Return the columns of the read table `transaction` but id and version: the fold, and nothing else."""
    sale = state.sale
    payment = state.payment if isinstance(state, Paid | Refunded) else None
    refund = state.refund if isinstance(state, Paid | Refunded) else None
    return {
        "user_id": sale.user_id,
        "practitioner_id": practitioner_of(sale),
        "status": STATUS[type(state)],
        "product_id": sale.product.id,
        "product_name": sale.product.name,
        "kind": sale.product.kind,
        "tier": sale.product.tier,
        "duration_minutes": sale.product.duration_minutes,
        "amount": sale.price.amount,
        "currency": sale.price.currency,
        "provider": sale.provider,
        "reference": sale.reference,
        "expires_at": sale.expires_at,
        "request_limit_minutes": sale.request_limit_minutes,
        "auto_start": sale.auto_start,
        "paid_at": payment.paid_at if payment else None,
        "refund_id": refund.id if refund else None,
        "refund_status": refund.status if refund else None,
        "refund_amount": refund.amount.amount if refund else None,
        "refund_requested_at": refund.requested_at if refund else None,
        "refund_settled_at": refund.settled_at if refund else None,
        "created_at": sale.created_at,
    }


def parameters(change: Change[Command, State]) -> Mapping[str, Any]:
    """Return what append.sql needs besides the events."""
    command, before, events, after = change.command, change.before, change.events, change.after
    assert isinstance(after, Existing)  # events make a Transaction
    return {
        **read_row(after),
        **_words_of_a_provider(change),
        "opens": isinstance(before, Absent),
        "closes": isinstance(before, AwaitingPayment) and not isinstance(after, AwaitingPayment),
        "most_unpaid": MOST_UNPAID,
        "relies_on_unbegun": isinstance(command, Reassign),
        "page_at": command.page_at if isinstance(command, Create) else None,
        "return_url": command.return_url if isinstance(command, Create) else None,
        "reviews": json.dumps(_changed_reviews(before, after)),
        "refunds_requested": json.dumps([_requested(e, after) for e in events if isinstance(e, RefundRequested)]),
        "refunds_settled": json.dumps(
            [_settled(e) for e in events if isinstance(e, TransactionRefunded | RefundFailed)]
        ),
    }


def _words_of_a_provider(change: Change[Command, State]) -> Mapping[str, Any]:
    """The reason of a review that a provider's word settled."""
    command = change.command
    if isinstance(command, ReportPayment) and any(isinstance(event, PaymentReviewSettled) for event in change.events):
        return {"text_id": command.ids.reason, "text": "Returned by the payment provider."}
    return {}


def review_outcome(review: Review) -> str | None:
    """Return how a review was settled, None while it is open."""
    return {"open": None, "dismissed": "dismiss", "refunding": "refund", "refunded": "refund"}[review.state]


def _changed_reviews(before: State, after: Existing) -> list[dict[str, Any]]:
    known = [] if isinstance(before, Absent) else [review_row(review, before) for review in before.reviews]
    return [row for row in (review_row(review, after) for review in after.reviews) if row not in known]


def review_row(review: Review, state: Existing) -> dict[str, Any]:
    """Return a review as its row shows it while its Transaction is in this state."""
    outcome = review_outcome(review)
    left = None if outcome else left_of(review, state)
    return {
        "id": str(review.id),
        "provider": review.provider,
        "payment_id": review.payment_id,
        "amount": review.received.amount,
        "currency": review.received.currency,
        "direction": review.direction,
        "returned": review.returned.amount if review.returned else None,
        "refundable": left.amount if left else None,
        "cause": review.cause,
        "state": "settled" if outcome else "open",
        "outcome": outcome,
        "created_at": review.created_at.isoformat(),
    }


def _requested(event: RefundRequested, after: Existing) -> dict[str, Any]:
    provider, payment_id = _origin(event, after)
    return {
        "id": str(event.refund_id),
        "review_id": str(event.review_id) if event.review_id else None,
        "provider": provider,
        "payment_id": payment_id,
        "amount": event.amount.amount,
        "currency": event.amount.currency,
    }


def _origin(event: RefundRequested, after: Existing) -> tuple[str, str]:
    """Money goes back the way it came: through the provider of that very payment."""
    review = next((r for r in after.reviews if r.id == event.review_id), None)
    if review:
        return review.provider, review.payment_id
    if isinstance(after, Paid | Refunded):
        return after.payment.provider, after.payment.payment_id
    raise AssertionError("a refund is of the payment or of a review")


def _settled(event: TransactionRefunded | RefundFailed) -> dict[str, Any]:
    failed = isinstance(event, RefundFailed)
    return {
        "id": str(event.refund_id),
        "status": "failed" if failed else "succeeded",
        "code": event.code if failed else None,
    }


def _hides(_command: Command, state: State, context: CommandContext) -> Refusal | None:
    """E1: another member's Transaction does not exist for a member."""
    role, _, person_id = context.cause.actor.partition(":")
    if role == "member" and not isinstance(state, Absent) and str(state.sale.user_id) != person_id:
        return Refusal("not_found", "There is no such thing for you here.")
    return None


async def _explain(_conn: Connection, error: StoreError, change: Change[Command, State]) -> Exception | None:
    if isinstance(error, GuardFailed) and isinstance(change.before, Absent):
        detail = f"{MOST_UNPAID} Transactions await payment already: pay or cancel one first."
        return Refused(Refusal("too_many_unpaid", detail))
    return None


TRANSACTION: Aggregate[Command, State] = Aggregate(
    stream_type="transaction",
    initial=Absent(),
    decide=decide,
    evolve=evolve,
    append=AppendSql.load("checkout.transactions", "append.sql", topic=TRANSACTIONS.name),
    parameters=parameters,
    hides=_hides,
    explain=_explain,
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a Transaction shows that isn't its own: its payment page, its people's names, its session as consumed.

    The session is the one that has begun, else the latest. An erased person's name is gone (E4).
    """

    redirect_url: str | None = None
    practitioner_name: str | None = None
    practitioner_erased: bool = False
    member_name: str | None = None
    member_erased: bool = False
    session_id: UUID | None = None
    session_status: str | None = None


_BESIDE = """
SELECT json_build_array((SELECT redirect_url FROM payment_session WHERE transaction_id = t.id),
    CASE WHEN p.erased_at IS NULL THEN p.name END, p.erased_at IS NOT NULL,
    CASE WHEN m.erased_at IS NULL THEN m.name END, m.erased_at IS NOT NULL, s.session_id, s.status)::text
FROM transaction t
LEFT JOIN practitioner p ON p.id = t.practitioner_id
LEFT JOIN person m ON m.id = t.user_id
LEFT JOIN LATERAL (
    SELECT session_id, status FROM consulted_session WHERE transaction_id = t.id
    ORDER BY status IN ('on_progress', 'completed') DESC, session_id DESC LIMIT 1
) s ON true
WHERE t.id = $1
"""
_WITH_BESIDE = LoadBeside(_BESIDE)


class LoadWithBeside:
    """How a command's Transaction is loaded whose answer shows more than itself: `beside`, as at the last load.

    No command changes it but a reassignment, which brings the new practitioner's name itself.
    """

    beside = Beside()

    async def __call__(self, conn: Connection, transaction_id: UUID, key: IdempotencyKey | None) -> Loaded:
        """The stream and what its key remembers."""
        loaded, text = await _WITH_BESIDE(conn, transaction_id, key)
        self.beside = _beside(text)
        return loaded


async def beside_of(conn: Connection, transaction_id: UUID) -> Beside:
    """What that Transaction shows beside itself now."""
    cursor = psycopg.AsyncRawCursor(conn, row_factory=tuple_row)
    await cursor.execute(_BESIDE, [transaction_id], prepare=True)
    row = await cursor.fetchone()
    return _beside(row[0] if row else None)


def _beside(text: str | bytes | None) -> Beside:
    if text is None:
        return Beside()
    found = Beside(*json.loads(text))
    return replace(found, session_id=UUID(str(found.session_id)) if found.session_id else None)


async def read_at(
    conn: Connection, transaction_id: UUID, *, version: int | None = None, instant: datetime | None = None
) -> tuple[State, int]:
    """Fold the stream up to a version, or to what was recorded by an instant (E5); also return its version then."""
    events = await load(conn, transaction_id, up_to=instant, up_to_version=version)
    return TRANSACTION.fold(events), events[-1].version if events else 0
