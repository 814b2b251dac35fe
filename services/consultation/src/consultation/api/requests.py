"""POST /v1/sessions: the document's selectPractitioner and RequestConsultationUserAssessmentAction (R1 to R3)."""

import psycopg
from fastapi import APIRouter, Response

from booking_chassis.problems import problem_responses
from booking_store import Remembered
from consultation import whatsapp
from consultation.api.answers import person_of, row_after, stamp_session
from consultation.api.call import Call, Member, after_commit
from consultation.api.commands import REFUSED
from consultation.api.models import RequestedOut, RequestIn
from consultation.api.problems import as_problems
from consultation.api.refusals import REQUEST
from consultation.desk import CONSUMER, TOKENS, Desk
from consultation.handlers import Done, request
from consultation.patience import patiently

REQUEST_REFUSED = problem_responses(*REQUEST)


def requests_router(desk: Desk) -> APIRouter:
    """POST /v1/sessions."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=REFUSED)

    @router.post("", status_code=201, summary="Request a session on a paid transaction", responses=REQUEST_REFUSED)
    async def request_session(body: RequestIn, caller: Member, call: Call) -> RequestedOut:
        """It waits for the practitioner's time; this answer alone holds the link to chat (R1 to R3)."""
        await call.consistency.visible(desk.database, CONSUMER, TOKENS)
        person = person_of(caller)

        async def attempt() -> Done | Remembered:
            async with desk.database.autocommit() as conn:
                return await request(
                    conn,
                    person,
                    body.transaction_id,
                    body.assessment_id,
                    at=desk.clock(),
                    origin=call.origin,
                    key=call.key,
                )

        with as_problems():
            outcome = await patiently(attempt, call.consistency.wait)
        after_commit(desk, outcome)
        async with desk.database.autocommit() as conn:
            return await _requested(conn, call.response, outcome)

    return router


async def _requested(conn: psycopg.AsyncConnection, response: Response, outcome: Done | Remembered) -> RequestedOut:
    row = await row_after(conn, outcome)
    stamp_session(response, row["id"], row["version"])
    response.headers["Location"] = f"/v1/sessions/{row['id']}"
    text = whatsapp.greeting(
        kind=row["kind"],
        locale=row["practitioner_locale"],
        practitioner_name=row["practitioner_name"],
        member_name=row["member_name"],
    )
    url = whatsapp.whatsapp_url(row["practitioner_phone"], text)
    return RequestedOut.of(row).model_copy(update={"whatsapp_url": url})
