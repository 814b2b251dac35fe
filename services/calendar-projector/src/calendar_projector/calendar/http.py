"""`/v1/calendar/events` and `/v1/calendar/busy`: the calendar by range (C3), as calendar components read it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from booking_contracts.sessions import SessionStatus
from booking_process.database import Database
from booking_web.auth import Caller, Principal, require
from booking_web.consistency import Consistency
from booking_web.instants import BoundIn, InstantOut, bound_at
from booking_web.languages import AcceptedLanguage, Language, language_for
from booking_web.pages import CursorQuery, PageOf, PageQuery, decode_cursor, encode_cursor, page_of
from booking_web.problems import Problem, not_found, problem_responses, unprocessable
from calendar_projector.calendar import reads
from calendar_projector.calendar.reads import Entry, Range, Taken, title, visible
from calendar_projector.people import locale_of

Person = Annotated[Principal, Depends(require("member", "practitioner", "admin"))]
Instant = Annotated[BoundIn, Query(description="An instant (RFC 3339), or a date in the platform's zone.")]


class CalendarEvent(BaseModel):
    """One session; `start` and `end` are null while it waits for a new practitioner's time.

    The names are those of calendar components; what theirs has no name for, they hand through unread.
    """

    id: UUID = Field(description="The session's.")
    title: str = Field(examples=["Sesi konsultasi"])
    start: InstantOut | None
    end: InstantOut | None = Field(examples=["2026-12-01T03:00:00Z"])
    status: SessionStatus = Field(examples=["scheduled"])
    transaction_id: UUID
    practitioner_id: UUID
    practitioner_name: str | None = Field(examples=["Budi Santoso"])
    user_id: UUID
    member_name: str | None = Field(examples=["Sari Dewi"])
    scheduled_date: str | None = Field(examples=["2026-12-01"])
    time_start: str | None = Field(examples=["09:00"])
    time_end: str | None = Field(examples=["10:00"])
    timezone: str | None = Field(examples=["Asia/Jakarta"])
    meeting_link: str | None = Field(examples=["https://meet.google.com/abc-defg-hij"])
    schedule_version: int
    version: int


class Interval(BaseModel, title="BusyInterval"):
    """A time that is taken, `[start, end)`."""

    start: InstantOut
    end: InstantOut = Field(examples=["2026-12-01T03:00:00Z"])


def calendar_event(entry: Entry, language: Language) -> CalendarEvent:
    """The row as a component reads it."""
    return CalendarEvent(
        id=entry.session_id,
        title=title(entry.status, language),
        start=entry.starts_at,
        end=entry.ends_at,
        status=entry.status,
        transaction_id=entry.transaction_id,
        practitioner_id=entry.practitioner_id,
        practitioner_name=entry.practitioner_name,
        user_id=entry.user_id,
        member_name=entry.member_name,
        scheduled_date=entry.scheduled_date.isoformat() if entry.scheduled_date else None,
        time_start=f"{entry.time_start:%H:%M}" if entry.time_start else None,
        time_end=f"{entry.time_end:%H:%M}" if entry.time_end else None,
        timezone=entry.timezone,
        meeting_link=entry.meeting_link,
        schedule_version=entry.schedule_version,
        version=entry.version,
    )


async def _range_page(
    limit: Annotated[int, Query(ge=1, le=5000, description="How many items at most.")] = 2000,
    cursor: CursorQuery = None,
) -> PageQuery:
    return PageQuery(limit, cursor or None)


RangePage = Annotated[PageQuery, Depends(_range_page)]
"""A page of a range, which is read whole by most: its limit is higher than that of other lists."""


def events_router(database: Database, zone: str) -> APIRouter:
    """Reads; dates without time begin in the platform's `zone`."""
    router = APIRouter(
        prefix="/v1/calendar", tags=["calendar"], responses=problem_responses(401, invalid_range(), 429, 503)
    )

    @router.get("/events", responses=problem_responses(403, 404))
    async def list_calendar_events(
        *,
        caller: Person,
        consistency: Consistency,
        wish: AcceptedLanguage,
        page: RangePage,
        start: Instant,
        end: Instant,
        practitioner_id: Annotated[UUID | None, Query(description="This practitioner's sessions.")] = None,
        user_id: Annotated[UUID | None, Query(description="This member's sessions.")] = None,
    ) -> PageOf[CalendarEvent]:
        """The sessions that touch `[start, end)`, earliest first; canceled and failed ones stay, marked so (C1).

        Without a person the caller's own in whatever role (an admin's: everybody's). Others' calendars are an admin's.
        """
        first, last = span(start, end, zone)
        limit = page.limit
        after, after_id = decode_cursor(page.cursor, datetime, UUID, of="calendar") if page.cursor else (None, None)
        if not caller.has("admin") and (practitioner_id or user_id) and caller.sub not in {practitioner_id, user_id}:
            raise not_found()
        await visible(database, consistency)
        wanted = Range(first, last, limit + 1, after, after_id)
        async with database.autocommit() as conn:
            if practitioner_id is None and user_id is None and not caller.has("admin"):
                found = await reads.of_person(conn, caller.sub, wanted)
            else:
                found = await reads.of_pair(conn, practitioner_id, user_id, wanted)
            locale = await locale_of(conn, caller.sub)
        language = language_for(locale or caller.locale, wish)
        last_one = found[limit - 1] if len(found) > limit else None
        more = (
            encode_cursor(last_one.starts_at, last_one.session_id, of="calendar")
            if last_one and last_one.starts_at
            else None
        )
        return PageOf[CalendarEvent](**page_of([calendar_event(entry, language) for entry in found[:limit]], more))

    @router.get("/busy", responses=problem_responses(404))
    async def list_busy_intervals(
        *,
        caller: Caller,
        consistency: Consistency,
        page: RangePage,
        practitioner_id: Annotated[UUID, Query(description="Whose time.")],
        start: Instant,
        end: Instant,
    ) -> PageOf[Interval]:
        """When this practitioner is taken, for choosing a time that is free; who and what for is nobody's business.

        Others see the times as practitioner alone, and 404 for whoever is none (E1); one's own, and any person's for an
        admin, are told in whatever role.
        """
        first, last = span(start, end, zone)
        after = decode_cursor(page.cursor, datetime, datetime, of="busy") if page.cursor else (None, None)
        await visible(database, consistency)
        async with database.autocommit() as conn:
            entitled = caller.has("admin") or caller.sub == practitioner_id
            if not entitled and not await reads.is_practitioner(conn, practitioner_id):
                raise not_found()
            wanted = Taken(first, last, page.limit + 1, *after)
            found = await reads.busy(conn, practitioner_id, wanted, also_as_member=entitled)
        more = encode_cursor(*found[page.limit - 1], of="busy") if len(found) > page.limit else None
        items = [Interval(start=begins, end=ends) for begins, ends in found[: page.limit]]
        return PageOf[Interval](**page_of(items, more))

    return router


LONGEST_DAYS = 400


def span(start: str, end: str, zone: str) -> tuple[datetime, datetime]:
    """`[start, end)`, not reversed and at most 400 days long; 422 `invalid_time` else. Dates begin in `zone`."""
    first, last = bound_at(start, zone), bound_at(end, zone)
    if last < first or (last - first).days > LONGEST_DAYS:
        raise invalid_range()
    if not 1 < first.year < 9999 or not 1 < last.year < 9999:
        raise _invalid("?start", "out of range")
    return first, last


def _invalid(pointer: str, detail: str) -> Problem:
    error = {"pointer": pointer, "code": "invalid_time", "detail": detail}
    return unprocessable("invalid_time", "The range is not one.", errors=[error])


def invalid_range() -> Problem:
    """No range, or too long a one."""
    return _invalid("?end", f"not after start, or more than {LONGEST_DAYS} days after it")
