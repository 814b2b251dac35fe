"""The routes that read sessions: their parties and admins see them, to all others they don't exist (E1, E2, E5)."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import WithJsonSchema

from booking_contracts.sessions import SessionStatus
from booking_web.consistency import Consistency
from booking_web.instants import BoundIn, InstantIn, bound_at
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses, unprocessable
from consultation.dependencies import CONSUMER, TOKENS, Dependencies
from consultation.sessions import reads
from consultation.sessions.http import Reader, person_of, shown, stamp_session
from consultation.sessions.models import HistoryItemOut, SessionOut
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
    _one_route(router, deps)
    _history_route(router, deps)
    return router


def _list_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("", summary="Own sessions, newest first; an admin sees all")
    async def list_sessions(  # noqa: PLR0917 - FastAPI names them
        caller: Reader,
        page: Page,
        consistency: Consistency,
        status: Annotated[
            Literal[SessionStatus, "pending"] | None,
            Query(description="`pending` means `scheduled`; `pending_negotiation` is the waiting list."),
        ] = None,
        start: Annotated[Bound | None, Query(alias="from", description="`starts_at` at or after." + BOUND)] = None,
        end: Annotated[Bound | None, Query(alias="to", description="`starts_at` before." + BOUND)] = None,
    ) -> PageOf[SessionOut]:
        """`?status=pending_negotiation` is the waiting list: the earliest `respond_by` first (E1)."""
        await consistency.visible(deps.database, CONSUMER, TOKENS)
        zone = deps.platform_timezone
        first, last_before = (bound_at(text, zone) if text else None for text in (start, end))
        if first and last_before and last_before < first:
            blamed = {"pointer": "?to", "code": "invalid_time", "detail": "it is before from"}
            raise unprocessable("invalid_time", "The range is not one.", errors=[blamed])
        wanted = Filter("scheduled" if status == "pending" else status, first, last_before)
        after = _position(wanted, page.cursor)
        async with deps.database.autocommit() as conn:
            rows, last = await reads.page(conn, person_of(caller), wanted, limit=page.limit, after=after)
        cursor = encode_cursor(*last, of=f"sessions {wanted.order}") if last else None
        return PageOf(**page_of([SessionOut.of(row, caller.sub) for row in rows], cursor))


def _position(wanted: Filter, cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    order = wanted.order
    return decode_cursor(cursor, *_KEYS[order], of=f"sessions {order}")  # pyright: ignore[reportReturnType] - as its types say


def _one_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("/{session_id}", summary="One session, as it is or as of a past instant")
    async def read_session(
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
        return shown(response, row, caller.sub if as_of is None else None)


def _history_route(router: APIRouter, deps: Dependencies) -> None:
    @router.get("/{session_id}/history", summary="Who did what and when, newest first")
    async def read_history(session_id: UUID, caller: Reader, page: Page, response: Response) -> PageOf[HistoryItemOut]:
        """Every event of the session, with the words that were not erased (E2)."""
        before = decode_cursor(page.cursor, int, of=f"history {session_id}")[0] if page.cursor else None
        async with deps.database.autocommit() as conn:
            items = await reads.history(conn, session_id, person_of(caller))
        if items is None:
            raise not_found()
        shown_page = PageOf[HistoryItemOut](**_newest_first(items, page.limit, before, session_id))
        stamp_session(response, session_id, items[-1].version, shown_page)
        return shown_page


def _newest_first(items: list[reads.HistoryItem], limit: int, before: int | None, session_id: UUID) -> dict[str, Any]:
    rest = [item for item in reversed(items) if before is None or item.version < before]
    shown_items = [HistoryItemOut.model_validate(asdict(item)) for item in rest[:limit]]
    more = encode_cursor(rest[limit - 1].version, of=f"history {session_id}") if len(rest) > limit else None
    return page_of(shown_items, more)
