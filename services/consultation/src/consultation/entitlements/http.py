"""/v1/assessments: what the assessment service tells, where it doesn't write its topic (R1), and what is known."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from booking_contracts.event import Instant
from booking_store import Cause, Connection
from booking_web.auth import Principal, require
from booking_web.conditions import Conditions
from booking_web.consistency import stamp
from booking_web.context import Context
from booking_web.idempotency import Written
from booking_web.instants import InstantIn
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import conflict, not_found, problem_responses
from booking_web.writes import WriteCall
from consultation.dependencies import SERVICE, Dependencies
from consultation.entitlements import store, told

Teller = Annotated[Principal, Depends(require("service", "admin"))]
Reader = Annotated[Principal, Depends(require("member", "service", "admin"))]


class AssessmentIn(BaseModel, title="AssessmentCompletion"):
    """What the assessment service tells."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID
    completed_at: InstantIn


class AssessmentOut(BaseModel, title="Assessment"):
    """An assessment as it is known here."""

    id: UUID
    user_id: UUID
    completed_at: Instant
    version: int


OTHER_OWNER = conflict("other_owner", "The assessment belongs to another member; that never changes.")


def assessments_router(deps: Dependencies) -> APIRouter:
    """Its own members read them, the assessment service and admins write and read all."""
    router = APIRouter(prefix="/v1/assessments", tags=["assessments"])
    _reading_routes(router, deps)

    @router.put(
        "/{assessment_id}",
        summary="Create or change an assessment; its member is written once",
        responses={201: {"model": AssessmentOut, "description": "Created"}}
        | problem_responses(400, 401, 403, OTHER_OWNER, 412, 413, 422, 429, 503),
    )
    async def put_assessment(
        assessment_id: UUID,
        body: AssessmentIn,
        caller: Teller,
        call: WriteCall,
    ) -> AssessmentOut:
        """Create (201) or change (200) it, for the assessment service, where that does not write its topic (R1). What
        it changes is told there."""

        async def change(conn: Connection) -> Written:
            cause = _cause(caller, call.context)
            return await _change(conn, assessment_id, body, call.conditions, cause=cause, at=deps.clock())

        written, _ = await call.idempotency.once(deps.database, change)
        deps.committed()
        answer = written.body(AssessmentOut)
        if answer is None:  # an answer that was not kept
            async with deps.database.autocommit() as conn:
                kept = await store.assessment_of(conn, assessment_id)
            assert kept is not None  # assessments are never removed
            answer = _view(kept)
        call.response.status_code = written.status
        stamp(call.response, SERVICE, "assessment", assessment_id, answer.version)
        return answer

    return router


def _reading_routes(router: APIRouter, deps: Dependencies) -> None:
    refused = problem_responses(401, 403, 422, 429, 503)

    @router.get("", summary="Own assessments, the last completed first; a service or admin sees all", responses=refused)
    async def list_assessments(
        caller: Reader,
        page: Page,
        user_id: Annotated[UUID | None, Query(description="Only this member's (services and admins).")] = None,
    ) -> PageOf[AssessmentOut]:
        """Those that a session may be about."""
        owner = user_id if _sees_all(caller) else caller.sub
        if user_id not in {None, owner}:
            return PageOf[AssessmentOut](items=[])
        of = "assessments"
        after = decode_cursor(page.cursor, datetime, UUID, of=of) if page.cursor else None
        async with deps.database.autocommit() as conn:
            found = await store.assessments(
                conn,
                owner,
                limit=page.limit + 1,
                after=after,  # pyright: ignore[reportArgumentType] - as its types say
            )
        last = found[page.limit - 1] if len(found) > page.limit else None
        more = encode_cursor(last.completed_at, last.id, of=of) if last else None
        return PageOf[AssessmentOut](**page_of([_view(one) for one in found[: page.limit]], more))

    @router.get("/{assessment_id}", summary="One assessment", responses=refused | problem_responses(404))
    async def get_assessment(assessment_id: UUID, caller: Reader, response: Response) -> AssessmentOut:
        """The caller's own, or any for a service or admin."""
        async with deps.database.autocommit() as conn:
            kept = await store.assessment_of(conn, assessment_id)
        if kept is None or not (_sees_all(caller) or kept.user_id == caller.sub):
            raise not_found()
        stamp(response, SERVICE, "assessment", kept.id, kept.version)
        return _view(kept)


def _sees_all(caller: Principal) -> bool:
    return caller.has("service", "admin")


def _cause(caller: Principal, context: Context) -> Cause:
    actor = caller.actor("service" if caller.has("service") else "admin")
    return Cause(actor, context.correlation_id, context.request_id, context.traceparent)


async def _change(
    conn: Connection, assessment_id: UUID, body: AssessmentIn, conditions: Conditions, *, cause: Cause, at: datetime
) -> Written:
    before = await store.assessment_of(conn, assessment_id, locked=True)
    conditions.check(before.version if before else None)
    try:
        kept = await store.keep_assessment(conn, assessment_id, body.user_id, body.completed_at)
    except store.OtherOwner:
        raise conflict("other_owner", "The assessment belongs to another member; that never changes.") from None
    if before is None and not kept.created:
        conditions.check(kept.version)  # another was first since: no row could be locked
    if before is None or kept.version != before.version:
        await told.tell(conn, kept, cause, at)
    return Written(201 if kept.created else 200, assessment_id, kept.version, _view(kept))


def _view(kept: store.KeptAssessment) -> AssessmentOut:
    return AssessmentOut(id=kept.id, user_id=kept.user_id, completed_at=kept.completed_at, version=kept.version)
