"""`/v1/practitioners`: the ranked list (L1 to L3) and profiles; `/v1/practitioner-directory`: all of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, StrictBool

from booking_contracts.topics import SESSIONS
from booking_process.database import Database
from booking_store import Cause
from booking_web.auth import Caller, Principal, require
from booking_web.consistency import Consistency, stamp
from booking_web.idempotency import Written
from booking_web.pages import Ids, Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import forbidden, not_found, problem_responses, unprocessable
from booking_web.writes import WriteCall
from checkout import catalogue
from checkout.contexts import CONSUMER, ERASED, cause_of
from checkout.fields import Body, Email, Paragraph, PersonName, Phone, Tier, WebAddress, Zone
from checkout.people import directory, store
from checkout.people.directory import Contact
from checkout.people.store import DEFAULT_LOCALE, Person, Profile
from checkout.ranking.listing import Listed, Months, PublicProfile, Standing, cursor_of, month_of, page_after, standing

Browser = Annotated[Principal, Depends(require("member", "admin"))]
Editor = Annotated[Principal, Depends(require("practitioner", "admin"))]
ADMINS_OWN = ("tiers", "active")


class ProfileBody(Body, title="PractitionerChange"):
    """What is left out stays as it is, and what cannot be absent stays at null; null removes the rest. `tiers` and
    `active` are an admin's."""

    name: PersonName | None = None
    photo_url: WebAddress | None = None
    bio: Paragraph | None = None
    profession: PersonName | None = None
    timezone: Zone | None = None
    tiers: list[Tier] | None = Field(default=None, max_length=50)
    active: StrictBool | None = None
    phone: Phone | None = None
    email: Email | None = None


class ProfileView(PublicProfile, title="Practitioner"):
    """`phone`, `email` and `active` are shown to the practitioner and to admins only."""

    version: int
    active: bool | None = None
    phone: str | None = Field(default=None, examples=["+6281234567890"])
    email: str | None = Field(default=None, examples=["budi@example.com"])


CREATED: dict[int | str, dict[str, Any]] = {201: {"model": ProfileView, "description": "Created"}}


def practitioners_router(database: Database, known: Any, months: Months, poke: Callable[[], None]) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/practitioners",
        tags=["practitioners"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    async def shown(practitioner_id: UUID, caller: Principal, response: Response) -> ProfileView:
        async with database.autocommit() as conn:
            found = await store.find_profile(conn, practitioner_id)
            if found is None:
                raise not_found()
            person = await store.find_person(conn, practitioner_id)
        stamp(response, "checkout", "practitioner", found.id, found.version)
        return _view(found, person, private=caller.has("admin") or caller.sub == practitioner_id)

    @router.get("", responses=problem_responses(404))
    async def list_practitioners(
        _caller: Browser,
        page: Page,
        consistency: Consistency,
        product_id: Annotated[UUID, Query(description="Who serves this product's tier.")],
    ) -> PageOf[Listed]:
        """Who can be chosen for a product, best first; each with the three figures that give the order (L1, L2)."""
        await consistency.visible(database, CONSUMER, {"consultation:session": SESSIONS.name})
        async with database.autocommit() as conn:
            product = await catalogue.find(conn, product_id)
            if product is None:
                raise not_found("There is no such product.")
            month = month_of(page.cursor, months, product.tier)
            found = await page_after(conn, month, product.tier, page.cursor, page.limit + 1)
        more = cursor_of(found[page.limit - 1], month, product.tier) if len(found) > page.limit else None
        return PageOf[Listed](**page_of(found[: page.limit], more))

    @router.get("/{practitioner_id}", responses=problem_responses(404), response_model_exclude_unset=True)
    async def get_practitioner(practitioner_id: UUID, caller: Caller, response: Response) -> ProfileView:
        """A profile."""
        return await shown(practitioner_id, caller, response)

    @router.put(
        "/{practitioner_id}",
        responses={**CREATED, **problem_responses(400, 404, 412)},
        response_model_exclude_unset=True,
    )
    async def put_practitioner(
        *,
        practitioner_id: UUID,
        body: ProfileBody,
        caller: Editor,
        call: WriteCall,
    ) -> ProfileView:
        """Create (201) or change (200) a profile: one's own, or any for an admin."""
        _check_rights(practitioner_id, caller, body)
        role = "admin" if caller.has("admin") else "practitioner"
        cause = cause_of(caller, call.context, role)

        async def change(conn: psycopg.AsyncConnection[Any]) -> Written:
            await store.lock(conn, practitioner_id)
            before = await store.find_profile(conn, practitioner_id)
            call.conditions.check(before.version if before else None)
            person = await _contact(conn, practitioner_id, body, cause, str(months.zone))
            profile = _profile(practitioner_id, body, before, person, by_admin=role == "admin")
            await store.save_profile(conn, profile, cause, months)
            answer = _view(profile, person, private=True)
            return Written(200 if before else 201, practitioner_id, profile.version, answer)

        written, _ = await call.idempotency.once(database, change)
        poke()
        answer = written.body(ProfileView)
        if answer is None:  # an answer that was not kept
            answer = await shown(practitioner_id, caller, call.response)
        call.response.status_code = written.status
        stamp(call.response, "checkout", "practitioner", answer.id, answer.version)
        return answer

    return router


def standing_router(database: Database, known: Any, months: Months) -> APIRouter:
    """Return the route of one's own place."""
    router = APIRouter(
        prefix="/v1/practitioners",
        tags=["practitioners"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    @router.get("/{practitioner_id}/standing", responses=problem_responses(404))
    async def get_practitioner_standing(practitioner_id: UUID, caller: Editor) -> Standing:
        """One's own figures and places in the lists (L2), or anybody's for an admin."""
        async with database.autocommit() as conn:
            own = caller.has("admin") or caller.sub == practitioner_id
            found = await standing(conn, practitioner_id, months) if own else None
        if found is None:
            raise not_found()
        return found

    return router


def directory_router(database: Database, known: Any) -> APIRouter:
    """Return the route of the directory."""
    router = APIRouter(
        prefix="/v1/practitioner-directory",
        tags=["practitioners"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    @router.get("", response_model_exclude_unset=True)
    async def list_practitioner_directory(
        *,
        caller: Browser,
        page: Page,
        ids: Ids = None,
        name: Annotated[
            str | None,
            Query(min_length=1, max_length=200, description="Only whose words begin so, in any order: `bud san`."),
        ] = None,
        tier: Annotated[str | None, Query(max_length=100, description="Only who serves this tier.")] = None,
        active: Annotated[bool | None, Query(description="Only who takes clients now, or does not.")] = None,
    ) -> PageOf[ProfileView]:
        """All practitioners, also who takes no clients, by name: for admins. Members may read those of known `ids`."""
        if ids is None and not caller.has("admin"):
            error = {"pointer": "?ids", "code": "missing", "detail": "Only an admin may read all of the directory."}
            raise unprocessable("invalid_request", errors=[error])
        after = decode_cursor(page.cursor, UUID, of="practitioners")[0] if page.cursor else None
        limit = max(page.limit, len(ids or ()))
        wanted = directory.Wanted(ids, directory.words_of(name), tier, active)
        async with database.autocommit() as conn:
            found = await directory.page(conn, wanted, after=after, limit=limit + 1)
        more = encode_cursor(found[limit - 1][0].id, of="practitioners") if len(found) > limit else None
        items = [
            _view(profile, contact, private=caller.has("admin") or caller.sub == profile.id)
            for profile, contact in found[:limit]
        ]
        return PageOf[ProfileView](**page_of(items, more))

    return router


async def _contact(
    conn: psycopg.AsyncConnection[Any], practitioner_id: UUID, body: ProfileBody, cause: Cause, platform_zone: str
) -> Person | None:
    """The contact data that an admin enters for a practitioner who has not called yet."""
    before = await store.find_person(conn, practitioner_id)
    if before and before.erased:
        raise forbidden("person_erased", "This person was erased; nothing is written of them again.")
    given = {name: getattr(body, name) for name in ("phone", "email") if name in body.model_fields_set}
    if before is None:
        zone = body.timezone or platform_zone
        before = Person(practitioner_id, body.name, None, None, DEFAULT_LOCALE, zone, False, 0, False)
    elif not given:
        return before
    after = replace(before, **given, name=before.name or body.name, version=before.version + 1)
    await store.save_person(conn, after, cause)
    return after


def _check_rights(practitioner_id: UUID, caller: Principal, body: ProfileBody) -> None:
    if caller.has("admin"):
        return
    if caller.sub != practitioner_id:
        raise forbidden(detail="Only one's own profile can be changed.")
    if any(name in body.model_fields_set for name in ADMINS_OWN):
        raise forbidden(detail="Only an admin sets tiers and active.")


def _profile(
    practitioner_id: UUID, body: ProfileBody, before: Profile | None, person: Person | None, *, by_admin: bool
) -> Profile:
    given = {name: getattr(body, name) for name in body.model_fields_set - {"phone", "email"}}
    name = given.pop("name", None) or (before.name if before else None) or (person.name if person else None)
    if not name:
        error = {"pointer": "/name", "code": "missing", "detail": "A practitioner needs a name."}
        raise unprocessable("invalid_request", errors=[error])
    for field in ("timezone", "active", "tiers"):
        if given.get(field, ...) is None:
            del given[field]
    if "tiers" in given:
        given["tiers"] = sorted(set(given["tiers"]))
    for field in ("bio", "profession", "photo_url"):
        if field in given:
            given[field] = given[field] or None
    if before:
        return replace(before, **given, name=name, version=before.version + 1)
    zone = person.timezone if person else "Asia/Jakarta"
    # Who enters themselves waits for an admin; whom an admin enters takes clients, unless the admin says otherwise.
    new = Profile(practitioner_id, name, None, None, None, [], zone, by_admin, 1)
    return replace(new, **given)


def _view(profile: Profile, person: Person | Contact | None, *, private: bool) -> ProfileView:
    public: dict[str, Any] = {
        name: getattr(profile, name) for name in ProfileView.model_fields if name not in ("active", "phone", "email")
    }
    if not private:
        return ProfileView.model_validate(public)
    contact = {"phone": person.phone, "email": person.email} if person else {"phone": None, "email": None}
    return ProfileView.model_validate({**public, "active": profile.active, **contact})
