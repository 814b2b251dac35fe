"""`/v1/transactions`."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from booking_contracts.topics import SESSIONS
from booking_web.auth import AdminCaller, Caller, Principal, require
from booking_web.consistency import Consistency, stamp
from booking_web.context import RequestContext
from booking_web.headers import VERSIONED
from booking_web.idempotency import Idempotency, tell_replayed
from booking_web.instants import InstantIn
from booking_web.pages import Ids, Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses
from booking_web.writes import WriteCall
from checkout.contexts import CONSUMER, ERASED, by_person, role_of
from checkout.fields import Body, PageAddress, Reason
from checkout.transactions import reads
from checkout.transactions.handlers import Done, Handlers
from checkout.transactions.problems import CANCEL, CREATE, REASSIGN, REFUND, RETURN_URL_NOT_ALLOWED
from checkout.transactions.reads import HistoryItem, TransactionView
from checkout.transactions.state import Existing, Status
from checkout.transactions.waiting import LONGEST, Waiting

Member = Annotated[Principal, Depends(require("member"))]
A_PRODUCT = "0198d2a0-2222-7000-8000-000000000002"
A_PRACTITIONER = "0198d2a0-3333-7000-8000-000000000003"
Reader = Annotated[Principal, Depends(require("member", "admin"))]


class Purchase(Body):
    product_id: UUID = Field(examples=[A_PRODUCT])
    practitioner_id: UUID = Field(examples=[A_PRACTITIONER])
    return_url: PageAddress | None = Field(
        default=None, description="Where the payment page sends the member afterwards; of an origin that is allowed."
    )


class Cancellation(Body, title="TransactionCancellation"):
    reason: Reason | None = None


class RefundWish(Body, title="RefundRequest"):
    reason: Reason


class Reassignment(Body):
    practitioner_id: UUID = Field(examples=[A_PRACTITIONER])
    reason: Reason


SESSIONS_SEEN = {"consultation:session": SESSIONS.name}


def transactions_router(  # noqa: C901, PLR0915 - one room for its routes
    handlers: Handlers, known: Any, return_origins: tuple[str, ...]
) -> APIRouter:
    """Return the routes; `known` is the dependency that knows persons, `return_origins` whose pages they return to."""
    database = handlers.database
    waiting = Waiting(database)
    allowed = {_origin(one) for one in return_origins}
    router = APIRouter(
        prefix="/v1/transactions",
        tags=["transactions"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    async def shown(done: Done, response: Response, fresh: int, caller: Principal) -> TransactionView:
        """Answer a command: of what is in hand, or, a replay, as it was then."""
        outcome = done.outcome
        if outcome.replay and outcome.replay.object_id and outcome.replay.version:
            async with database.autocommit() as conn:
                view = await reads.at_version(conn, outcome.replay.object_id, outcome.replay.version, caller)
        else:
            assert isinstance(outcome.state, Existing)  # a command that was not refused leaves one
            view = reads.view_of_state(outcome.state, outcome.version, done.beside, caller)
        response.status_code = outcome.replay.status if outcome.replay else fresh
        if outcome.replay:
            tell_replayed(response)
        return _stamped(response, view)

    @router.post("", status_code=201, responses=problem_responses(400, 404, *CREATE))
    async def create_transaction(
        body: Purchase, caller: Member, context: RequestContext, idempotency: Idempotency, response: Response
    ) -> TransactionView:
        """Buy a product with a practitioner of its tier: the pair is locked (P1, P2), the provider asked after (P3)."""
        if body.return_url is not None and _origin(body.return_url) not in allowed:
            raise RETURN_URL_NOT_ALLOWED
        command = by_person(caller, context, role="member", key=idempotency.key)
        done = await handlers.create(body.product_id, body.practitioner_id, caller.sub, body.return_url, command)
        view = await shown(done, response, 201, caller)
        response.headers["Location"] = f"/v1/transactions/{view.id}"
        return view

    @router.get("")
    async def list_transactions(
        *,
        caller: Reader,
        page: Page,
        consistency: Consistency,
        ids: Ids = None,
        status: Annotated[Status | None, Query(description="Only these.")] = None,
        user_id: Annotated[UUID | None, Query(description="Only this member's (admins).")] = None,
    ) -> PageOf[TransactionView]:
        """The caller's own, an admin's all; newest first."""
        owner = user_id if caller.has("admin") else caller.sub
        before = decode_cursor(page.cursor, UUID, of="transactions")[0] if page.cursor else None
        if user_id not in (None, owner):
            return PageOf[TransactionView](items=[])
        await consistency.visible(database, CONSUMER, SESSIONS_SEEN)
        limit = max(page.limit, len(ids or ()))
        async with database.autocommit() as conn:
            found = await reads.page(conn, caller, owner=owner, status=status, ids=ids, below=before, limit=limit + 1)
        more = encode_cursor(found[limit - 1].id, of="transactions") if len(found) > limit else None
        return PageOf[TransactionView](**page_of(found[:limit], more))

    @router.get("/{transaction_id}", responses=problem_responses(404))
    async def get_transaction(
        *,
        transaction_id: UUID,
        caller: Caller,
        consistency: Consistency,
        request: Request,
        response: Response,
        as_of: Annotated[InstantIn | None, Query(description="As it was recorded by this instant (E5).")] = None,
        wait_for: Annotated[
            Literal["paid"] | None,
            Query(
                description="Answer once it awaits payment no more: paid, or expired or canceled; at the latest after "
                "`wait_for_seconds`, as it is then. Not with `as_of`."
            ),
        ] = None,
        wait_for_seconds: Annotated[
            float, Query(ge=0, le=LONGEST, allow_inf_nan=False, description="How long `wait_for` waits at most.")
        ] = LONGEST,
    ) -> TransactionView:
        """One Transaction of the caller's, or any for an admin."""
        await consistency.visible(database, CONSUMER, SESSIONS_SEEN)

        async def read() -> TransactionView:
            async with database.autocommit() as conn:
                view = await reads.one(conn, transaction_id, caller)
                if view is None or not (caller.has("admin") or view.user_id == caller.sub):
                    raise not_found()
                return view if as_of is None else await reads.as_of(conn, transaction_id, as_of)

        view = await read()
        if wait_for and as_of is None and view.status == "awaiting_payment":
            await waiting.settled(transaction_id, wait_for_seconds, request)
            view = await read()
        return _stamped(response, view)

    @router.get("/{transaction_id}/history", responses={200: VERSIONED} | problem_responses(404))
    async def list_transaction_history(
        transaction_id: UUID, caller: Caller, page: Page, response: Response
    ) -> PageOf[HistoryItem]:
        """Who did what, when: for the member, the practitioner and admins (E2)."""
        of = f"history {transaction_id}"
        below = decode_cursor(page.cursor, int, of=of)[0] if page.cursor else None
        async with database.autocommit() as conn:
            view = await reads.one(conn, transaction_id, caller)
            if view is None or not (caller.has("admin") or caller.sub in (view.user_id, view.practitioner_id)):
                raise not_found()
            below = view.version + 1 if below is None else below
            items = await reads.history(conn, transaction_id, limit=page.limit + 1, below=below)
        more = encode_cursor(items[page.limit - 1].version, of=of) if len(items) > page.limit else None
        shown_page = PageOf[HistoryItem](**page_of(items[: page.limit], more))
        stamp(response, "checkout", "transaction", transaction_id, view.version, shown=shown_page)
        return shown_page

    @router.post("/{transaction_id}/cancel", responses=problem_responses(400, 404, *CANCEL, 412))
    async def cancel_transaction(
        *,
        transaction_id: UUID,
        caller: Reader,
        call: WriteCall,
        body: Cancellation | None = None,
    ) -> TransactionView:
        """Cancel before payment (P3)."""
        role, reason = role_of(caller, "admin"), body.reason if body else None
        command = by_person(caller, call.context, role=role, key=call.key, seen=call.conditions, reason=reason)
        return await shown(await handlers.cancel(transaction_id, command), call.response, 200, caller)

    @router.post("/{transaction_id}/refund", responses=problem_responses(400, 404, *REFUND, 412))
    async def refund_transaction(
        *,
        transaction_id: UUID,
        body: RefundWish,
        caller: AdminCaller,
        call: WriteCall,
    ) -> TransactionView:
        """Return the whole payment; the status stays `paid` until the provider has done it (P5)."""
        command = by_person(caller, call.context, role="admin", key=call.key, seen=call.conditions, reason=body.reason)
        return await shown(await handlers.refund(transaction_id, command), call.response, 200, caller)

    @router.put("/{transaction_id}/practitioner", responses=problem_responses(400, 404, *REASSIGN, 412))
    async def reassign_transaction(
        *,
        transaction_id: UUID,
        body: Reassignment,
        caller: AdminCaller,
        call: WriteCall,
        consistency: Consistency,
    ) -> TransactionView:
        """Give it to another practitioner, while no session runs or is complete (P2)."""
        await consistency.visible(database, CONSUMER, SESSIONS_SEEN)
        command = by_person(caller, call.context, role="admin", key=call.key, seen=call.conditions, reason=body.reason)
        done = await handlers.reassign(transaction_id, body.practitioner_id, command)
        return await shown(done, call.response, 200, caller)

    return router


def _origin(address: str) -> str:
    """Scheme, host and port, as browsers compare them (RFC 6454)."""
    parts = urlsplit(address)
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}"


def _stamped(response: Response, view: TransactionView) -> TransactionView:
    # Its payment page, its people's names and its session come and go without an event of its own.
    stamp(response, "checkout", "transaction", view.id, view.version, shown=view)
    return view
