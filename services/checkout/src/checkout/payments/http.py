"""`/v1/payment-reviews`: money that fits nothing and waits for an admin (P4)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from booking_contracts.event import Instant
from booking_contracts.ids import uuid7
from booking_store import CommandContext, Connection, FreeText, Stale
from booking_web.auth import AdminCaller
from booking_web.conditions import Conditions
from booking_web.consistency import stamp
from booking_web.idempotency import Written
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import conflict, not_found, problem_responses
from booking_web.writes import WriteCall
from checkout.contexts import ERASED, by_person
from checkout.fields import Body, MoneyView, Reason
from checkout.payments.reviews import WITHOUT_STREAM, Cause, ReviewRow, find, newest, review_at, settle_without_stream
from checkout.transactions.commands import SettleReview
from checkout.transactions.decider import NOT_REFUNDABLE
from checkout.transactions.handlers import Handlers, reason_id
from checkout.transactions.problems import CHANGED, LEFT, REFUND_IN_PROGRESS

SETTLED = (conflict("already_settled", "This review is settled already."), REFUND_IN_PROGRESS, LEFT)


ENUMERATIONS = {
    "ReviewStatus": ("open", "settled"),
    "ReviewOutcome": ("refund", "dismiss", "matched"),
    "SettlementOutcome": ("refund", "dismiss"),
    "MoneyDirection": ("in", "out"),
}
OPEN_ENUMERATIONS = {"ReviewCause": get_args(Cause)}
"""What the document calls by name; the open ones may grow."""


class Settlement(Body, title="ReviewSettlement"):
    outcome: Literal["refund", "dismiss"]
    reason: Reason


class ReviewView(BaseModel, title="PaymentReview"):
    """`transaction_id` and `expected` are null where the money names no Transaction that we know.

    `received` came in by this payment, `returned` is known to have gone back of it; `refundable` is what settling it by
    refund gives back: null for nothing, or where nobody here can know.
    """

    id: UUID
    transaction_id: UUID | None
    provider: str = Field(examples=["midtrans"])
    provider_payment_id: str = Field(examples=["9aed5972-5b6a-401e-894b-a32c91ed1a3a"])
    reference: str = Field(examples=["0198d2a0-1111-7000-8000-000000000001"])
    received: MoneyView | None
    expected: MoneyView | None
    direction: Literal["in", "out"] = Field(
        description="`in`: money came that fits nothing. `out`: money left, or the provider contradicts itself."
    )
    returned: MoneyView | None = Field(examples=[None])
    refundable: MoneyView | None
    cause: Cause = Field(examples=["wrong_amount"])
    status: Literal["open", "settled"]
    outcome: Literal["refund", "dismiss", "matched"] | None = Field(examples=[None])
    created_at: Instant
    version: int


def reviews_router(handlers: Handlers, known: Any) -> APIRouter:
    """Return the routes."""
    database = handlers.database
    router = APIRouter(
        prefix="/v1/payment-reviews",
        tags=["payment reviews"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    async def _find(review_id: UUID) -> ReviewRow:
        async with database.autocommit() as conn:
            found = await find(conn, review_id)
        if found is None:
            raise not_found()
        return found

    @router.get("")
    async def list_payment_reviews(
        _caller: AdminCaller,
        page: Page,
        status: Annotated[Literal["open", "settled"] | None, Query(description="Only these.")] = None,
    ) -> PageOf[ReviewView]:
        """All reviews, newest first."""
        below = decode_cursor(page.cursor, UUID, of="payment-reviews")[0] if page.cursor else None
        async with database.autocommit() as conn:
            found = await newest(conn, state=status, below=below, limit=page.limit + 1)
        more = encode_cursor(found[page.limit - 1].id, of="payment-reviews") if len(found) > page.limit else None
        return PageOf[ReviewView](**page_of([_view(one) for one in found[: page.limit]], more))

    @router.post(
        "/{review_id}/settle",
        responses=problem_responses(400, 404, *SETTLED, CHANGED, 412),
    )
    async def settle_payment_review(
        *,
        review_id: UUID,
        body: Settlement,
        caller: AdminCaller,
        call: WriteCall,
    ) -> ReviewView:
        """Return the money, or dismiss the review."""
        review = await _find(review_id)
        if review.transaction_id and review.cause not in WITHOUT_STREAM:
            command = by_person(caller, call.context, role="admin", key=call.key, reason=body.reason)
            settle = _settlement(review.id, body.outcome, command, call.conditions)
            done = await handlers.handle(review.transaction_id, settle, command)
            review = await _find(review_id)
            if done.replay and done.replay.version:
                async with database.autocommit() as conn:
                    review = await review_at(conn, review, done.replay.version)
            answer = _view(review)
        else:

            async def change(conn: Connection) -> Written:
                now = await find(conn, review_id, lock=True)
                if now is None:
                    raise not_found()
                call.conditions.check(now.version)
                if now.state != "open":
                    raise conflict("already_settled", "This review is settled already.")
                _check_left(now, body.outcome)
                text = FreeText(uuid7(), caller.sub, body.reason)
                await settle_without_stream(conn, now, body.outcome, text, datetime.now(UTC))
                settled = await find(conn, review_id)
                return Written(200, review_id, now.version + 1, _view(settled or now))

            written, _ = await call.idempotency.once(database, change)
            answer = written.body(ReviewView) or _view(await _find(review_id))
        stamp(call.response, "checkout", "payment-review", answer.id, answer.version)
        return answer

    return router


def _settlement(
    review_id: UUID, outcome: Literal["refund", "dismiss"], context: CommandContext, seen: Conditions
) -> Callable[[Connection], Awaitable[SettleReview]]:
    """Settle a review of a Transaction's stream (P4); `seen`: which version of the review."""

    async def settle(conn: Connection) -> SettleReview:
        review = await find(conn, review_id)
        version = review.version if review else None
        if not seen.allow(version):
            raise Stale(version)
        return SettleReview(review_id, outcome, reason_id(context), uuid7())

    return settle


def _check_left(row: ReviewRow, outcome: str) -> None:
    if outcome == "refund" and row.refundable_amount is None:
        raise conflict(NOT_REFUNDABLE.code, NOT_REFUNDABLE.detail)


def _view(row: ReviewRow) -> ReviewView:
    return ReviewView(
        id=row.id,
        transaction_id=row.transaction_id,
        provider=row.provider,
        provider_payment_id=row.payment_id,
        reference=row.reference,
        received=_money(row.received_amount, row.received_currency),
        expected=_money(row.expected_amount, row.expected_currency),
        direction=row.direction,
        returned=_money(row.returned_amount, row.received_currency),
        refundable=_money(row.refundable_amount, row.received_currency) if row.state == "open" else None,
        cause=row.cause,
        status=row.state,
        outcome=row.outcome,
        created_at=row.created_at,
        version=row.version,
    )


def _money(amount: int | None, currency: str | None) -> MoneyView | None:
    return None if amount is None or currency is None else MoneyView(amount=amount, currency=currency)
