"""POST /v1/sessions: the document's selectPractitioner and RequestConsultationUserAssessmentAction (R1 to R3)."""

from dataclasses import replace

from fastapi import APIRouter

from booking_store import Outcome
from booking_web.problems import problem_responses
from consultation.api.answers import person_of, row_after, shown
from consultation.api.call import Call, Member, after_commit
from consultation.api.commands import REFUSED
from consultation.api.models import RequestIn, SessionOut
from consultation.api.refusals import REQUEST
from consultation.desk import CONSUMER, TOKENS, Desk
from consultation.handlers import request
from consultation.patience import patiently
from consultation.session.state import State

REQUEST_REFUSED = problem_responses(*REQUEST)


def requests_router(desk: Desk) -> APIRouter:
    """POST /v1/sessions."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=REFUSED)

    @router.post("", status_code=201, summary="Request a session on a paid transaction", responses=REQUEST_REFUSED)
    async def request_session(body: RequestIn, caller: Member, call: Call) -> SessionOut:
        """It waits for the practitioner's time; its member gets a link to chat (R1 to R3)."""
        await call.consistency.visible(desk.database, CONSUMER, TOKENS)
        call.conditions.check_collection()
        person = person_of(caller)

        async def attempt() -> Outcome[State]:
            async with desk.database.autocommit() as conn:
                # Of a collection there is no version: its conditions were checked above.
                context = replace(call.context(desk.clock()), conditions=None)
                return await request(conn, person, body.transaction_id, body.assessment_id, context)

        outcome = await patiently(attempt, call.consistency.wait)
        after_commit(desk, outcome)
        async with desk.database.autocommit() as conn:
            row = await row_after(conn, outcome)
        call.response.headers["Location"] = f"/v1/sessions/{row['id']}"
        return shown(call.response, row, caller.sub)

    return router
