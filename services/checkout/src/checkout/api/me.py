"""`/v1/me`: one's own contact data."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from booking_process.database import Database
from booking_web.auth import Caller, require
from booking_web.consistency import stamp
from booking_web.context import RequestContext
from booking_web.etag import Preconditions
from booking_web.idempotency import Idempotency, Written
from booking_web.problems import not_found, problem_responses
from checkout.api.bodies import Body, Email, Locale, PersonName, Phone, Zone
from checkout.api.person import ERASED, ROLES, cause_of
from checkout.directory import people
from checkout.directory.people import DEFAULT_LOCALE, Person


class MeBody(Body):
    """What is left out stays as it is; null removes a name, an email or a phone."""

    name: PersonName | None = None
    email: Email | None = None
    phone: Phone | None = None
    # Without a default in the document: clients that are made from it would send that, and erase what was chosen.
    locale: Locale = Field(default_factory=lambda: DEFAULT_LOCALE)
    timezone: Zone = Field(default_factory=lambda: "Asia/Jakarta")


class MeView(BaseModel):
    id: UUID
    name: str | None = Field(examples=["Sari Dewi"])
    email: str | None = Field(examples=["sari@example.com"])
    phone: str | None = Field(examples=["+6281234567890"])
    locale: str = Field(examples=["id"])
    timezone: str = Field(examples=["Asia/Jakarta"])
    version: int


def me_router(database: Database, known: Any, poke) -> APIRouter:  # noqa: ANN001 - Callable
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/me",
        tags=["me"],
        dependencies=[known, Depends(require(*ROLES))],
        responses=problem_responses(401, 403, ERASED, 429, 503),
    )

    async def shown(person_id: UUID, response: Response) -> MeView:
        async with database.autocommit() as conn:
            found = await people.find(conn, person_id)
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
        context: RequestContext,
        idempotency: Idempotency,
        seen: Preconditions,
        response: Response,
    ) -> MeView:
        """Change one's contact data."""

        async def change(conn) -> Written:  # noqa: ANN001 - idempotency's Change
            await people.lock(conn, caller.sub)
            before = await people.find(conn, caller.sub)
            if before is None:
                raise not_found()
            if before.erased:
                raise ERASED
            seen.check(before.version)
            given = body.model_dump(exclude_unset=True)
            after = replace(before, **given, claimed=True, version=before.version + 1)
            cause = cause_of(caller, context)
            await people.save(conn, after, cause)
            if (after.phone, after.email) != (before.phone, before.email):
                await people.profile_shows(conn, caller.sub, cause)
            return Written(200, caller.sub, after.version, _view(after))

        written, _ = await idempotency.once(database, change)
        poke()
        answer = written.body(MeView)
        if answer is None:  # an answer that was not kept
            return await shown(caller.sub, response)
        stamp(response, "checkout", "person", answer.id, answer.version)
        return answer

    return router


def _view(person: Person) -> MeView:
    return MeView.model_validate({name: getattr(person, name) for name in MeView.model_fields})
