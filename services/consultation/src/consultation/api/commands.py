"""The routes that change a session: each parses its input and drafts a command."""

from uuid import UUID

from fastapi import APIRouter

from booking_contracts.ids import uuid7
from booking_store import FreeText
from booking_web.principal import Principal
from booking_web.problems import problem_responses
from consultation import people
from consultation.api import refusals
from consultation.api.call import Admin, Call, ConditionalCall, Party, Practitioner
from consultation.api.models import ReasonIn, ResultIn, ScheduleIn, SessionOut
from consultation.api.problems import invalid_link
from consultation.desk import Desk
from consultation.links import InvalidLinkError
from consultation.orders import Draft
from consultation.session.commands import Cancel, Fail, Reschedule, Schedule, Start, UploadResult

SCHEDULE_REFUSED = problem_responses(*refusals.SCHEDULE)
RESCHEDULE_REFUSED = problem_responses(*refusals.SCHEDULE, 428)
REFUSED = problem_responses(400, 401, 403, 404, 409, 412, 413, 422, 429, 503)


def commands_router(desk: Desk) -> APIRouter:
    """What its people do to a session, below /v1/sessions/{session_id}."""
    router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["sessions"], responses=REFUSED)
    _schedule_routes(router, desk)
    _progress_routes(router, desk)
    _ending_routes(router, desk)
    return router


def _schedule_routes(router: APIRouter, desk: Desk) -> None:
    async def draft(kind: type[Schedule] | type[Reschedule], body: ScheduleIn, caller: Principal) -> Draft:
        try:
            link = desk.meeting_links.canonical(body.meeting_link)
        except InvalidLinkError as error:
            invalid_link("meeting_link", error)
        zone = body.timezone
        if zone is None:
            async with desk.database.autocommit() as conn:
                zone = await people.zone_of(conn, caller.sub) or desk.platform_timezone
        times = body.times(zone)
        return lambda actor, at: kind(actor, at, times, link)

    @router.post("/schedule", summary="Set date, time and meeting link (store)", responses=SCHEDULE_REFUSED)
    async def schedule(session_id: UUID, body: ScheduleIn, caller: Practitioner, call: Call) -> SessionOut:
        """The session is `scheduled` after it; neither party is ever in two places (S4)."""
        return await call.carry_out(desk, session_id, caller, await draft(Schedule, body, caller))

    @router.put("/schedule", summary="Change date, time or meeting link (update)", responses=RESCHEDULE_REFUSED)
    async def reschedule(session_id: UUID, body: ScheduleIn, caller: Practitioner, call: ConditionalCall) -> SessionOut:
        """The whole schedule anew, decided on the version that `If-Match` names (S7)."""
        return await call.carry_out(desk, session_id, caller, await draft(Reschedule, body, caller))


def _progress_routes(router: APIRouter, desk: Desk) -> None:
    @router.post("/start", summary="Flag the session as running", responses=problem_responses(*refusals.START))
    async def start(session_id: UUID, caller: Practitioner, call: Call) -> SessionOut:
        """By its practitioner, where the product does not start its sessions by itself."""
        return await call.carry_out(desk, session_id, caller, Start)

    @router.post("/result", summary="Upload the result, or replace it", responses=problem_responses(*refusals.RESULT))
    async def upload_result(session_id: UUID, body: ResultIn, caller: Practitioner, call: Call) -> SessionOut:
        """The session is `completed` after it; a second upload replaces the first."""
        text = FreeText(uuid7(), caller.sub, body.result_notes, _result_link(desk, body.result_link))
        has_link, has_notes = text.link is not None, text.text is not None
        return await call.carry_out(
            desk, session_id, caller, lambda actor, at: UploadResult(actor, at, text.id, has_link, has_notes), text
        )


def _ending_routes(router: APIRouter, desk: Desk) -> None:
    def draft(kind: type[Cancel] | type[Fail], body: ReasonIn, caller: Principal) -> tuple[Draft, FreeText]:
        text = FreeText(uuid7(), caller.sub, body.reason)
        return lambda actor, at: kind(actor, at, body.reason_code, text.id), text

    @router.post("/cancel", summary="Cancel, with a reason", responses=problem_responses(*refusals.END))
    async def cancel(session_id: UUID, body: ReasonIn, caller: Party, call: Call) -> SessionOut:
        """By the member or the practitioner; the reason's code goes with who cancels (S5)."""
        return await call.carry_out(desk, session_id, caller, *draft(Cancel, body, caller))

    @router.post(
        "/fail",
        summary="Fail, for a technical or administrative reason",
        responses=problem_responses(*refusals.END),
    )
    async def fail(session_id: UUID, body: ReasonIn, caller: Admin, call: Call) -> SessionOut:
        """By an admin, also while it runs (S5)."""
        return await call.carry_out(desk, session_id, caller, *draft(Fail, body, caller))


def _result_link(desk: Desk, link: str | None) -> str | None:
    if link is None:
        return None
    try:
        return desk.result_links.canonical(link)
    except InvalidLinkError as error:
        invalid_link("result_link", error)
