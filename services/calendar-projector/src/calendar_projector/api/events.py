"""`/v1/calendar/events` and `/v1/calendar/busy`: the calendar by range (C3)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from booking_process.database import Database
from booking_web.auth import Caller, Principal, require
from booking_web.consistency import Consistency
from booking_web.instants import BoundIn
from booking_web.languages import AcceptedLanguage, language_for
from booking_web.pages import PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses
from calendar_projector.api.instants import INVALID_RANGE, span
from calendar_projector.api.models import CalendarEvent, Interval, calendar_event
from calendar_projector.calendar import queries
from calendar_projector.calendar.consistency import visible
from calendar_projector.calendar.queries import Range
from calendar_projector.people import language_chosen

Person = Annotated[Principal, Depends(require("member", "practitioner", "admin"))]
Instant = Annotated[BoundIn, Query(description="An instant (RFC 3339), or a date in the platform's zone.")]


class Busy(BaseModel):
    """When somebody is taken; nothing else is told."""

    items: list[Interval]


def events_router(database: Database, zone: str) -> APIRouter:
    """Reads; dates without time begin in the platform's `zone`."""
    router = APIRouter(
        prefix="/v1/calendar", tags=["calendar"], responses=problem_responses(401, INVALID_RANGE, 429, 503)
    )

    @router.get("/events", responses=problem_responses(403, 404))
    async def list_calendar_events(  # noqa: PLR0917 a route's parameters come by name  # pyright: ignore[reportUnusedFunction]
        caller: Person,
        consistency: Consistency,
        wish: AcceptedLanguage,
        start: Instant,
        end: Instant,
        practitioner_id: Annotated[UUID | None, Query(description="This practitioner's sessions.")] = None,
        user_id: Annotated[UUID | None, Query(description="This member's sessions.")] = None,
        limit: Annotated[int, Query(ge=1, le=5000, description="How many items at most.")] = 2000,
        cursor: Annotated[
            str | None, Query(max_length=1024, description="The `next_cursor` of the page before.")
        ] = None,
    ) -> PageOf[CalendarEvent]:
        """The sessions that touch `[start, end)`, earliest first; canceled and failed ones stay, marked so (C1).

        Without a person the caller's own in whatever role (an admin's: everybody's). Others' calendars are an admin's.
        """
        first, last = span(start, end, zone)
        after, after_id = decode_cursor(cursor, datetime, UUID, of="calendar") if cursor else (None, None)
        if not caller.has("admin") and (practitioner_id or user_id) and caller.sub not in {practitioner_id, user_id}:
            raise not_found()
        await visible(database, consistency)
        wanted = Range(first, last, limit + 1, after, after_id)
        async with database.autocommit() as conn:
            if practitioner_id is None and user_id is None and not caller.has("admin"):
                found = await queries.of_person(conn, caller.sub, wanted)
            else:
                found = await queries.of_pair(conn, practitioner_id, user_id, wanted)
            chosen = await language_chosen(conn, caller.sub)
        language = language_for(chosen, caller.locale, wish)
        last_one = found[limit - 1] if len(found) > limit else None
        more = (
            encode_cursor(last_one.starts_at, last_one.session_id, of="calendar")
            if last_one and last_one.starts_at
            else None
        )
        return PageOf[CalendarEvent](**page_of([calendar_event(entry, language) for entry in found[:limit]], more))

    @router.get("/busy", responses=problem_responses(404))
    async def list_busy_intervals(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        consistency: Consistency,
        practitioner_id: Annotated[UUID, Query(description="Whose time.")],
        start: Instant,
        end: Instant,
    ) -> Busy:
        """When this practitioner is taken, for choosing a time that is free; who and what for is nobody's business.

        Others see the times as practitioner alone, and 404 for whoever is none (E1); one's own, and any person's for an
        admin, are told in whatever role.
        """
        first, last = span(start, end, zone)
        await visible(database, consistency)
        async with database.autocommit() as conn:
            entitled = caller.has("admin") or caller.sub == practitioner_id
            if not entitled and not await queries.is_practitioner(conn, practitioner_id):
                raise not_found()
            found = await queries.busy(conn, practitioner_id, first, last, also_as_member=entitled)
        return Busy(items=[Interval(start=begins, end=ends) for begins, ends in found])

    return router
