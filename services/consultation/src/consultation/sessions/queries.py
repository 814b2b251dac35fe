"""The routes that read sessions: their parties and admins see them, to all others they don't exist (E1, E2, E5)."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, TypedDict
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import WithJsonSchema

from booking_contracts.sessions import SessionStatus
from booking_web.consistency import Consistency
from booking_web.headers import VERSIONED
from booking_web.instants import BoundIn, InstantIn, bound_at
from booking_web.pages import Ids, Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import Problem, not_found, problem_responses, unprocessable
from consultation.dependencies import CONSUMER, TOKENS, Dependencies
from consultation.sessions import reads
from consultation.sessions.http import Reader, person_of, shown, stamp_session
from consultation.sessions.models import HistoryItemOut, SessionOut, SummaryOut
from consultation.sessions.reads import Filter, Position

Bound = Annotated[
    BoundIn,
    WithJsonSchema({"anyOf": [{"type": "string", "format": form} for form in ("date-time", "date")]}),
]
BOUND = " An instant (RFC 3339), or a date in the platform's zone."
READ = problem_responses(401, 403, 404, 422, 429, 503)
_KEYS: dict[str, tuple[type, ...]] = {
    "newest": (UUID,),
    "by_start": (datetime, UUID),
    "waiting": (datetime, UUID),
}


def queries_router(deps: Dependencies) -> APIRouter:
    """GET below /v1/sessions."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=READ)
    _list_route(router, deps)
    _summary_route(router, deps)
    _one_route(router, deps)
    _history_route(router, deps)
    return router


def reversed_range() -> Problem:
    """422: it ends before it begins."""
    blamed = {"pointer": "?end", "code": "invalid_time", "detail": "it is before start"}
    return unprocessable("invalid_time", "The range is not one.", errors=[blamed])


def _list_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get(
        "",
        summary="Own sessions, newest first; an admin sees all",
        responses=problem_responses(reversed_range()),
    )
    async def list_sessions(  # noqa: PLR0917 - FastAPI names them
        caller: Reader,
        page: Page,
        consistency: Consistency,
        status: Annotated[
            list[Literal[SessionStatus, "pending"]] | None,
            Query(
                max_length=7,
                description="Any of these, each once more: `?status=scheduled&status=on_progress`. `pending` means "
                "`scheduled`; `pending_negotiation` alone is the waiting list.",
            ),
        ] = None,
        start: Annotated[Bound | None, Query(description="`starts_at` at or after." + BOUND)] = None,
        end: Annotated[Bound | None, Query(description="`starts_at` before." + BOUND)] = None,
        ids: Ids = None,
        transaction_id: Annotated[UUID | None, Query(description="Of this Transaction.")] = None,
        practitioner_id: Annotated[UUID | None, Query(description="With this practitioner.")] = None,
        user_id: Annotated[UUID | None, Query(description="Of this member.")] = None,
    ) -> PageOf[SessionOut]:
        """`?status=pending_negotiation` is the waiting list: the earliest `respond_by` first (E1)."""
        await consistency.visible(deps.database, CONSUMER, TOKENS)
        wanted = Filter(
            statuses=tuple(sorted({"scheduled" if one == "pending" else one for one in status or ()})),
            ids=None if ids is None else tuple(dict.fromkeys(ids)),
            transaction_id=transaction_id,
            practitioner_id=practitioner_id,
            user_id=user_id,
            **_range(start, end, deps.platform_timezone),
        )
        after, person = _position(wanted, page.cursor), person_of(caller)
        limit = max(page.limit, len(wanted.ids or ()))
        async with deps.database.autocommit() as conn:
            rows, last = await reads.page(conn, person, wanted, limit=limit, after=after)
        cursor = encode_cursor(*last, of=f"sessions {wanted.order}") if last else None
        return PageOf(**page_of([SessionOut.of(row, person) for row in rows], cursor))


class _Range(TypedDict):
    start: datetime | None
    end: datetime | None


def _range(start: str | None, end: str | None, zone: str) -> _Range:
    first, last_before = (bound_at(text, zone) if text else None for text in (start, end))
    if first and last_before and last_before < first:
        raise reversed_range()
    return {"start": first, "end": last_before}


def _summary_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("/summary", summary="How many sessions wait, are to come, and are overdue")
    async def get_session_summary(caller: Reader, consistency: Consistency) -> SummaryOut:
        """For a badge: the caller's own in whatever role, an admin's everybody's."""
        await consistency.visible(deps.database, CONSUMER, TOKENS)
        async with deps.database.autocommit() as conn:
            return SummaryOut.model_validate(await reads.summary(conn, person_of(caller)))


def _position(wanted: Filter, cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    order = wanted.order
    return decode_cursor(cursor, *_KEYS[order], of=f"sessions {order}")  # pyright: ignore[reportReturnType] - as its types say


def _one_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("/{session_id}", summary="One session, as it is or as of a past instant")
    async def get_session(
        session_id: UUID,
        caller: Reader,
        consistency: Consistency,
        response: Response,
        as_of: Annotated[InstantIn | None, Query(description="What was recorded by this instant.")] = None,
    ) -> SessionOut:
        """For its parties and admins; with `as_of` the fold of what was recorded by then (E5)."""
        person = person_of(caller)
        await consistency.visible(deps.database, CONSUMER, TOKENS)
        async with deps.database.autocommit() as conn:
            row = await (
                reads.one(conn, session_id, person) if as_of is None else reads.as_of(conn, session_id, person, as_of)
            )
        if row is None:
            raise not_found()
        return shown(response, row, person if as_of is None else None)


def _history_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("/{session_id}/history", summary="Who did what and when, newest first", responses={200: VERSIONED})
    async def list_session_history(
        session_id: UUID, caller: Reader, page: Page, response: Response
    ) -> PageOf[HistoryItemOut]:
        """Every event of the session, with the words that were not erased (E2)."""
        before = decode_cursor(page.cursor, int, of=f"history {session_id}")[0] if page.cursor else None
        async with deps.database.autocommit() as conn:
            found = await reads.history(conn, session_id, person_of(caller), limit=page.limit, before=before)
        if found is None:
            raise not_found()
        items = [HistoryItemOut.model_validate(asdict(item)) for item in found.items]
        more = encode_cursor(items[-1].version, of=f"history {session_id}") if found.more else None
        shown_page = PageOf[HistoryItemOut](**page_of(items, more))
        stamp_session(response, session_id, found.version, shown_page)
        return shown_page
