"""The caller as a person (api.md, E4); `/v1/me`: one's own contact data; `/v1/erasures`: forget a person."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from booking_contracts.event import Instant
from booking_process.database import Database
from booking_store import Busy
from booking_web.auth import AdminCaller, Caller, bearer, require
from booking_web.consistency import stamp
from booking_web.context import SCOPE_KEY, RequestContext
from booking_web.idempotency import Written
from booking_web.problems import not_found, problem_responses, unavailable
from booking_web.writes import WriteCall
from checkout.contexts import ERASED, ROLES, cause_of, person_erased
from checkout.fields import Body, Email, Locale, PersonName, Phone, Zone
from checkout.people import erasure, store
from checkout.people.store import DEFAULT_LOCALE, Person
from checkout.ranking.listing import Months


def known_person(database: Database, zone: str) -> Callable[..., Awaitable[None]]:
    """Return a router's dependency: 403 for an erased person, else their claims are there after it.

    A service is no person: it has no contact data.
    """

    async def known(request: Request) -> None:
        caller = await bearer(request)
        if caller.has(*ROLES):
            async with database.autocommit() as conn:
                await store.present(conn, caller, cause_of(caller, request.scope[SCOPE_KEY]), zone)

    return known


class MeBody(Body, title="ContactChange"):
    """What is left out stays as it is; null removes a name, an email or a phone."""

    name: PersonName | None = None
    email: Email | None = None
    phone: Phone | None = None
    # Without a default in the document: clients that are made from it would send that, and erase what was chosen.
    locale: Locale = Field(default_factory=lambda: DEFAULT_LOCALE)
    timezone: Zone = Field(default_factory=lambda: "Asia/Jakarta")


class MeView(BaseModel, title="Contact"):
    id: UUID
    name: str | None = Field(examples=["Sari Dewi"])
    email: str | None = Field(examples=["sari@example.com"])
    phone: str | None = Field(examples=["+6281234567890"])
    locale: str = Field(examples=["id"])
    timezone: str = Field(examples=["Asia/Jakarta"])
    version: int


def me_router(database: Database, known: Any, poke: Callable[[], None]) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/me",
        tags=["me"],
        dependencies=[known, Depends(require(*ROLES))],
        responses=problem_responses(401, 403, ERASED, 429, 503),
    )

    async def shown(person_id: UUID, response: Response) -> MeView:
        async with database.autocommit() as conn:
            found = await store.find_person(conn, person_id)
        if found is None:
            raise not_found()
        stamp(response, "checkout", "person", found.id, found.version)
        return _view(found)

    @router.get("")
    async def get_me(caller: Caller, response: Response) -> MeView:
        """The caller's contact data, at first the token's claims."""
        return await shown(caller.sub, response)

    @router.put("", responses=problem_responses(400, 412, 422))
    async def put_me(
        *,
        body: MeBody,
        caller: Caller,
        call: WriteCall,
    ) -> MeView:
        """Change one's contact data."""

        async def change(conn: psycopg.AsyncConnection[Any]) -> Written:
            await store.lock(conn, caller.sub)
            before = await store.find_person(conn, caller.sub)
            if before is None:
                raise not_found()
            if before.erased:
                raise person_erased()
            call.conditions.check(before.version)
            given = body.model_dump(exclude_unset=True)
            after = replace(before, **given, claimed=True, version=before.version + 1)
            cause = cause_of(caller, call.context)
            await store.save_person(conn, after, cause)
            await store.profile_shows(conn, before, after, cause)
            return Written(200, caller.sub, after.version, _view(after))

        written, _ = await call.idempotency.once(database, change)
        poke()
        answer = written.body(MeView)
        if answer is None:  # an answer that was not kept
            return await shown(caller.sub, call.response)
        stamp(call.response, "checkout", "person", answer.id, answer.version)
        return answer

    return router


def _view(person: Person) -> MeView:
    return MeView.model_validate({name: getattr(person, name) for name in MeView.model_fields})


class ErasureView(BaseModel, title="Erasure"):
    """`again_at`: when the tombstones are sent once more, so that Kafka may compact what was; null once they were."""

    person_id: UUID
    erased_at: Instant
    again_at: Instant | None


def erasures_router(
    database: Database, known: Any, months: Months, resend_after: timedelta, poke: Callable[[], None]
) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/erasures",
        tags=["erasures"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    @router.put("/{person_id}")
    async def put_erasure(
        person_id: UUID, caller: AdminCaller, context: RequestContext, response: Response
    ) -> ErasureView:
        """Erase a person, here and in every service. Repeating it deletes again what came since."""
        cause = cause_of(caller, context, "admin")
        try:
            done = await erasure.erase(database, person_id, cause, months, resend_after)
        except Busy:
            raise unavailable(detail="Others erase the same person. Try again.", retry_after=1) from None
        poke()
        response.headers["Cache-Control"] = "no-store"
        return _erasure(done)

    @router.get("/{person_id}", responses=problem_responses(404))
    async def get_erasure(person_id: UUID, _caller: AdminCaller) -> ErasureView:
        """How far an erasure is."""
        async with database.autocommit() as conn:
            found = await erasure.find(conn, person_id)
        if found is None:
            raise not_found()
        return _erasure(found)

    return router


def _erasure(found: erasure.Erasure) -> ErasureView:
    return ErasureView(person_id=found.person_id, erased_at=found.erased_at, again_at=found.again_at)
