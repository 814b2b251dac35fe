"""PUT /v1/assessments/{id}: what the assessment service tells, where it doesn't write its topic (R1)."""

from typing import Annotated
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from booking_contracts.event import Instant
from booking_web.auth import Principal, require
from booking_web.conditions import Conditions, Preconditions
from booking_web.consistency import stamp
from booking_web.idempotency import Idempotency, Written
from booking_web.instants import InstantIn
from booking_web.problems import conflict, problem_responses
from consultation.dependencies import SERVICE, Dependencies
from consultation.entitlements import store

Teller = Annotated[Principal, Depends(require("service", "admin"))]


class AssessmentIn(BaseModel):
    """What the assessment service tells."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID
    completed_at: InstantIn


class AssessmentOut(BaseModel):
    """An assessment as it is known here."""

    id: UUID
    user_id: UUID
    completed_at: Instant
    version: int


OTHER_OWNER = conflict("other_owner", "The assessment belongs to another member; that never changes.")


def assessments_router(deps: Dependencies) -> APIRouter:
    """PUT /v1/assessments/{assessment_id}."""
    router = APIRouter(prefix="/v1/assessments", tags=["assessments"])

    @router.put(
        "/{assessment_id}",
        summary="Create or change an assessment; its member is written once",
        responses={201: {"model": AssessmentOut, "description": "Created"}}
        | problem_responses(400, 401, 403, OTHER_OWNER, 412, 413, 422, 429, 503),
    )
    async def put_assessment(
        assessment_id: UUID,
        body: AssessmentIn,
        _caller: Teller,
        idempotency: Idempotency,
        conditions: Preconditions,
        response: Response,
    ) -> AssessmentOut:
        """Create (201) or change (200) it, for the assessment service, where that does not write its topic (R1)."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            return await _change(conn, assessment_id, body, conditions)

        written, _ = await idempotency.once(deps.database, change)
        answer = written.body(AssessmentOut)
        if answer is None:  # an answer that was not kept
            async with deps.database.autocommit() as conn:
                kept = await store.assessment_of(conn, assessment_id)
            assert kept is not None  # assessments are never removed
            answer = _view(kept)
        response.status_code = written.status
        stamp(response, SERVICE, "assessment", assessment_id, answer.version)
        return answer

    return router


async def _change(
    conn: psycopg.AsyncConnection, assessment_id: UUID, body: AssessmentIn, conditions: Conditions
) -> Written:
    before = await store.assessment_of(conn, assessment_id, locked=True)
    conditions.check(before.version if before else None)
    try:
        kept = await store.keep_assessment(conn, assessment_id, body.user_id, body.completed_at)
    except store.OtherOwner:
        raise conflict("other_owner", "The assessment belongs to another member; that never changes.") from None
    if before is None and not kept.created:
        conditions.check(kept.version)  # another was first since: no row could be locked
    return Written(201 if kept.created else 200, assessment_id, kept.version, _view(kept))


def _view(kept: store.KeptAssessment) -> AssessmentOut:
    return AssessmentOut(id=kept.id, user_id=kept.user_id, completed_at=kept.completed_at, version=kept.version)
