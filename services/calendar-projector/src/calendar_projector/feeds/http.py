"""Secret feed addresses: made, listed and revoked by their owner; read by whoever has one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import BaseModel, Field

from booking_process.database import Database
from booking_web.auth import Principal, require
from booking_web.consistency import stamp
from booking_web.idempotency import Idempotency, Written
from booking_web.instants import InstantOut
from booking_web.languages import AcceptedLanguage, language_for
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import Problem, conflict, not_found, problem_responses
from calendar_projector.calendar import reads
from calendar_projector.calendar.reads import Range
from calendar_projector.feeds import store
from calendar_projector.feeds.ics import render, tag
from calendar_projector.feeds.store import MOST_FEEDS, Feed, Tokens
from calendar_projector.people import locale_of, person_erased

Person = Annotated[Principal, Depends(require("member", "practitioner", "admin"))]

_KEPT_DAYS, _AHEAD_DAYS, _MOST = 90, 400, 2000
"""What a feed shows: the last three months, and as far ahead as a session may lie (S2)."""

_PRIVATE = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language",
}


_A_FEED = "\r\n".join(
    [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//booking//calendar//EN"),
        *("BEGIN:VEVENT", "UID:session-0198d2a0-1111-7000-8000-000000000001@booking", "DTSTAMP:20261129T050000Z"),
        *("DTSTART:20261201T050000Z", "DTEND:20261201T060000Z", "SUMMARY:Consultation", "STATUS:CONFIRMED"),
        *("TRANSP:OPAQUE", "END:VEVENT", "END:VCALENDAR", ""),
    ]
)


class FeedAddress(BaseModel, title="CalendarFeed"):
    """A feed; `url` is a secret."""

    id: UUID
    url: str = Field(examples=["https://booking.example.com/calendar/feeds/secret.ics"])
    created_at: InstantOut
    version: int = 1


def too_many() -> Problem:
    """409: a person has as many feeds as anybody may."""
    return conflict("too_many_feeds", f"At most {MOST_FEEDS} feeds: revoke one first.")


def feeds_router(database: Database, tokens: Tokens) -> APIRouter:
    """`/v1/calendar/feeds`."""
    router = APIRouter(
        prefix="/v1/calendar/feeds", tags=["feeds"], responses=problem_responses(401, 403, 422, 429, 503)
    )

    def shown(feed: Feed) -> FeedAddress:
        return FeedAddress(id=feed.id, url=tokens.address(feed.id), created_at=feed.created_at)

    @router.post("", status_code=201, responses=problem_responses(person_erased(), too_many()))
    async def create_calendar_feed(caller: Person, idempotency: Idempotency, response: Response) -> FeedAddress:
        """A new secret address of the caller's own calendar, for a calendar app."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            try:
                made = await store.make(conn, caller.sub)
            except store.ErasedError:
                raise person_erased() from None
            if made is None:
                raise too_many()
            return Written(201, made.id, 1)

        written, _ = await idempotency.once(database, change)
        assert written.object_id is not None
        stamp(response, "calendar", "feed", written.object_id, 1)
        response.headers["Location"] = f"/v1/calendar/feeds/{written.object_id}"
        return shown(Feed(written.object_id))

    @router.get("")
    async def list_calendar_feeds(caller: Person, page: Page) -> PageOf[FeedAddress]:
        """The caller's own feeds, newest first."""
        before = decode_cursor(page.cursor, UUID, of="feeds")[0] if page.cursor else None
        async with database.autocommit() as conn:
            found = await store.of_person(conn, caller.sub, before=before, limit=page.limit + 1)
        more = encode_cursor(found[page.limit - 1].id, of="feeds") if len(found) > page.limit else None
        return PageOf[FeedAddress](**page_of([shown(feed) for feed in found[: page.limit]], more))

    @router.delete("/{feed_id}", status_code=204, responses=problem_responses(404))
    async def revoke_calendar_feed(feed_id: UUID, caller: Person, idempotency: Idempotency) -> None:
        """Revoke an own feed: its address answers 404 from now on, and nothing brings it back."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            if not await store.revoke(conn, caller.sub, feed_id):
                raise not_found()
            return Written(204, feed_id, None)

        await idempotency.once(database, change)

    return router


def public_feeds_router(database: Database, tokens: Tokens) -> APIRouter:
    """`/calendar/feeds/{token}.ics`: no token of ours, the address itself is the secret."""
    router = APIRouter(tags=["feeds"], responses=problem_responses(404, 503))

    @router.get(
        "/calendar/feeds/{token}.ics",
        response_class=Response,
        responses={
            200: {
                "content": {"text/calendar": {"schema": {"type": "string"}, "example": _A_FEED}},
                "headers": {"ETag": {}},
            },
            304: {"description": "Unchanged", "headers": {"ETag": {}}},
        },
    )
    async def get_calendar_feed(
        token: Annotated[str, Path(max_length=200, description="The secret of the address.")],
        wish: AcceptedLanguage,
        if_none_match: Annotated[
            str | None,
            Header(alias="If-None-Match", max_length=2000, description="The `ETag` that was read: 304 while it holds."),
        ] = None,
    ) -> Response:
        """The owner's calendar (RFC 5545, RFC 7986). Wrong, revoked and never made look the same."""
        feed = tokens.feed_of(token)
        async with database.autocommit() as conn:
            person = await store.owner(conn, feed) if feed is not None else None
            if person is None:
                raise not_found()
            now = datetime.now(UTC)
            wanted = Range(now - timedelta(days=_KEPT_DAYS), now + timedelta(days=_AHEAD_DAYS), _MOST)
            entries = await reads.of_person(conn, person, wanted)
            locale = await locale_of(conn, person)
        language = language_for(locale, wish)
        headers = {**_PRIVATE, "ETag": tag(entries, language)}
        if _matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        body = await asyncio.to_thread(render, entries, language)
        return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)

    return router


def _matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110 §13.1.2: the weak comparison, `*` included."""
    asked = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return "*" in asked or etag in asked
