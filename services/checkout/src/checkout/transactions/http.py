"""`/v1/transactions`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from booking_contracts.topics import SESSIONS
from booking_store import Outcome
from booking_web.auth import AdminCaller, Caller, Principal, require
from booking_web.conditions import Preconditions
from booking_web.consistency import Consistency, stamp
from booking_web.context import RequestContext
from booking_web.idempotency import Idempotency
from booking_web.instants import InstantIn
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses
from checkout.contexts import CONSUMER, ERASED, by_person, role_of
from checkout.fields import Body, Reason
from checkout.transactions import reads
from checkout.transactions.handlers import Handlers
from checkout.transactions.problems import CANCEL, CREATE, REASSIGN, REFUND
from checkout.transactions.reads import HistoryItem, TransactionView
from checkout.transactions.state import State, Status

Member = Annotated[Principal, Depends(require("member"))]
A_PRODUCT = "0198d2a0-2222-7000-8000-000000000002"
A_PRACTITIONER = "0198d2a0-3333-7000-8000-000000000003"
Reader = Annotated[Principal, Depends(require("member", "admin"))]


class Purchase(Body):
    product_id: UUID = Field(examples=[A_PRODUCT])
    practitioner_id: UUID = Field(examples=[A_PRACTITIONER])


class Cancellation(Body):
    reason: Reason | None = None


class RefundWish(Body):
    reason: Reason


class Reassignment(Body):
    practitioner_id: UUID = Field(examples=[A_PRACTITIONER])
    reason: Reason


class History(PageOf[HistoryItem]):
    """Who did what, when; newest first."""

    next_cursor: str | None = Field(default=None, examples=[None])


def transactions_router(handlers: Handlers, known: Any) -> APIRouter:  # noqa: C901, PLR0915 - one room for its routes
    """Return the routes; `known` is the dependency that knows persons."""
    database = handlers.database
    router = APIRouter(
        prefix="/v1/transactions",
        tags=["transactions"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    async def shown(done: Outcome[State], response: Response, fresh: int) -> TransactionView:
        """Answer a command: as it is now, or, a replay, as it was then."""
        async with database.autocommit() as conn:
            if done.replay and done.replay.object_id and done.replay.version:
                view = await reads.at_version(conn, done.replay.object_id, done.replay.version)
            else:
                view = await reads.view(conn, done.id, done.state, done.version)
        response.status_code = done.replay.status if done.replay else fresh
        return _stamped(response, view)

    @router.post("", status_code=201, responses=problem_responses(400, 404, *CREATE))
    async def create_transaction(
        body: Purchase, caller: Member, context: RequestContext, idempotency: Idempotency, response: Response
    ) -> TransactionView:
        """Buy a product with a practitioner of its tier: the pair is locked (P1, P2), the provider asked after (P3)."""
        command = by_person(caller, context, role="member", key=idempotency.key)
        done = await handlers.create(body.product_id, body.practitioner_id, caller.sub, command)
        return await shown(done, response, 201)

    @router.get("")
    async def list_transactions(
        caller: Reader,
        page: Page,
        status: Annotated[Status | None, Query(description="Only these.")] = None,
        user_id: Annotated[UUID | None, Query(description="Only this member's (admins).")] = None,
    ) -> PageOf[TransactionView]:
        """The caller's own, an admin's all; newest first."""
        owner = user_id if caller.has("admin") else caller.sub
        before = decode_cursor(page.cursor, UUID, of="transactions")[0] if page.cursor else None
        if user_id not in (None, owner):
            return PageOf[TransactionView](items=[])
        async with database.autocommit() as conn:
            found = await reads.page(conn, owner=owner, status=status, below=before, limit=page.limit + 1)
        more = encode_cursor(found[page.limit - 1].id, of="transactions") if len(found) > page.limit else None
        return PageOf[TransactionView](**page_of(found[: page.limit], more))

    @router.get("/{transaction_id}", responses=problem_responses(404))
    async def get_transaction(
        transaction_id: UUID,
        caller: Caller,
        response: Response,
        as_of: Annotated[InstantIn | None, Query(description="As it was recorded by this instant (E5).")] = None,
    ) -> TransactionView:
        """One Transaction of the caller's, or any for an admin."""
        async with database.autocommit() as conn:
            view = await reads.one(conn, transaction_id)
            if view is None or not (caller.has("admin") or view.user_id == caller.sub):
                raise not_found()
            if as_of is not None:
                view = await reads.as_of(conn, transaction_id, as_of)
        return _stamped(response, view)

    @router.get("/{transaction_id}/history", responses=problem_responses(404))
    async def get_transaction_history(transaction_id: UUID, caller: Caller, response: Response) -> History:
        """Who did what, when: for the member, the practitioner and admins (E2)."""
        async with database.autocommit() as conn:
            view = await reads.one(conn, transaction_id)
            if view is None or not (caller.has("admin") or caller.sub in (view.user_id, view.practitioner_id)):
                raise not_found()
            items = await reads.history(conn, transaction_id)
        shown_history = History(items=items)
        stamp(response, "checkout", "transaction", transaction_id, view.version, shown=shown_history)
        return shown_history

    @router.post("/{transaction_id}/cancel", responses=problem_responses(400, 404, *CANCEL, 412))
    async def cancel_transaction(
        *,
        transaction_id: UUID,
        caller: Reader,
        context: RequestContext,
        idempotency: Idempotency,
        seen: Preconditions,
        response: Response,
        body: Cancellation | None = None,
    ) -> TransactionView:
        """Cancel before payment (P3)."""
        role, reason = role_of(caller, "admin"), body.reason if body else None
        command = by_person(caller, context, role=role, key=idempotency.key, seen=seen, reason=reason)
        return await shown(await handlers.cancel(transaction_id, command), response, 200)

    @router.post("/{transaction_id}/refund", responses=problem_responses(400, 404, *REFUND, 412))
    async def refund_transaction(
        *,
        transaction_id: UUID,
        body: RefundWish,
        caller: AdminCaller,
        context: RequestContext,
        idempotency: Idempotency,
        seen: Preconditions,
        response: Response,
    ) -> TransactionView:
        """Return the whole payment; the status stays `paid` until the provider has done it (P5)."""
        command = by_person(caller, context, role="admin", key=idempotency.key, seen=seen, reason=body.reason)
        return await shown(await handlers.refund(transaction_id, command), response, 200)

    @router.put("/{transaction_id}/practitioner", responses=problem_responses(400, 404, *REASSIGN, 412))
    async def reassign_transaction(
        *,
        transaction_id: UUID,
        body: Reassignment,
        caller: AdminCaller,
        context: RequestContext,
        idempotency: Idempotency,
        seen: Preconditions,
        consistency: Consistency,
        response: Response,
    ) -> TransactionView:
        """Give it to another practitioner, while no session runs or is complete (P2)."""
        await consistency.visible(database, CONSUMER, {"consultation:session": SESSIONS.name})
        command = by_person(caller, context, role="admin", key=idempotency.key, seen=seen, reason=body.reason)
        return await shown(await handlers.reassign(transaction_id, body.practitioner_id, command), response, 200)

    return router


def _stamped(response: Response, view: TransactionView) -> TransactionView:
    # The payment page's address comes after the sale, without an event.
    stamp(response, "checkout", "transaction", view.id, view.version, shown=view)
    return view
