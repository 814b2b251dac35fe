"""The routes that begin a session and change it: each parses its input and drafts a command.

POST /v1/sessions is the document's selectPractitioner and RequestConsultationUserAssessmentAction (R1 to R3).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from booking_contracts.ids import uuid7
from booking_store import Cause, CommandContext, Connection, FreeText, Outcome, handle
from booking_web import context
from booking_web.auth import Principal, require
from booking_web.conditions import Conditions, IfMatchHeader, IfNoneMatchHeader, conditions_of
from booking_web.consistency import ConsistencyWish, TokensHeader, WaitQuery, stamp, wish_of
from booking_web.context import SCOPE_KEY, Context
from booking_web.idempotency import IdempotencyKey, KeyHeader, scope_of, tell_replayed
from booking_web.problems import precondition_required, problem_responses
from consultation import people
from consultation.dependencies import CONSUMER, SERVICE, TOKENS, Dependencies
from consultation.links import InvalidLinkError
from consultation.people import LoadWithParties, Parties
from consultation.sessions import problems, reads
from consultation.sessions.commands import Cancel, Fail, Reschedule, Schedule, Start, UploadResult
from consultation.sessions.models import CancelIn, FailIn, RequestIn, ResultIn, ScheduleIn, SessionOut
from consultation.sessions.problems import REQUEST, invalid_link
from consultation.sessions.state import NotRequested, State
from consultation.sessions.store import SESSION, Draft, NotYet, Person, by_person, request

T = TypeVar("T")
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.1


async def patiently(attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Try until it works or is refused for good, at most for `seconds`; then NotYet as it was.

    What is unknown and what is somebody else's wait alike, so that the time taken tells nobody which it was.
    """
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, _FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except NotYet:
            left = until - loop.time()
            if left <= 0:
                raise
            await context.pause(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def person_of(caller: Principal) -> Person:
    """The caller as the domain knows people."""
    return Person(caller.sub, caller.roles)


def cause_of(context: Context) -> Cause:
    """Where the command came from, for the envelopes of its events; the command itself says who gives it."""
    return Cause("system", context.correlation_id, context.request_id, context.traceparent)


async def row_after(
    conn: Connection, outcome: Outcome[State], text: FreeText | None = None, parties: Parties | None = None
) -> reads.Row:
    """The session as the command left it; for a repeated request as the first one left it.

    With `parties` in hand the answer to a change asks the database nothing more.
    """
    if outcome.replay is not None:
        assert outcome.replay.object_id is not None
        assert outcome.replay.version is not None
        return await reads.at_version(conn, outcome.replay.object_id, outcome.replay.version)
    assert not isinstance(outcome.state, NotRequested)
    text, about = text if outcome.changed else None, outcome.state.about
    parties = parties or await people.parties_of(conn, about.practitioner_id, about.user_id, about.transaction_id)
    return reads.after(outcome.state, outcome.version, outcome.began_at, text, parties)


def shown(response: Response, row: reads.Row, reader: Person | None) -> SessionOut:
    """The session's view for that person, with its version on the answer."""
    view = SessionOut.of(row, reader)
    stamp_session(response, view.id, view.version, view)
    return view


def stamp_session(response: Response, session_id: UUID, version: int, shown: BaseModel) -> None:
    """ETag and Consistency-Token of a session. Its body has names and words that change without its stream."""
    stamp(response, SERVICE, "session", session_id, version, shown=shown)


Member = Annotated[Principal, Depends(require("member"))]
Practitioner = Annotated[Principal, Depends(require("practitioner"))]
Party = Annotated[Principal, Depends(require("member", "practitioner"))]
Admin = Annotated[Principal, Depends(require("admin"))]
Reader = Annotated[Principal, Depends(require("member", "practitioner", "admin"))]


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One call of a command's route."""

    cause: Cause
    key: IdempotencyKey | None
    consistency: ConsistencyWish
    conditions: Conditions
    response: Response

    def context(self, at: datetime, text: FreeText | None = None) -> CommandContext:
        """As the command handler wants to know it."""
        return CommandContext(self.cause, at, self.key, self.conditions, text)

    async def carry_out(
        self, deps: Dependencies, session_id: UUID, caller: Principal, draft: Draft, text: FreeText | None = None
    ) -> SessionOut:
        """Give the command in the caller's name; the session as it left it."""
        await self.consistency.visible(deps.database, CONSUMER, TOKENS)
        at = deps.clock()
        command, context = by_person(person_of(caller), draft, at), self.context(at, text)
        load = LoadWithParties()
        async with deps.database.autocommit() as conn:
            outcome = await handle(conn, SESSION, session_id, command, context, load=load)
            after_commit(deps, outcome, self.response)
            return shown(self.response, await row_after(conn, outcome, text, load.parties), person_of(caller))


def after_commit(deps: Dependencies, outcome: Outcome[State], response: Response) -> None:
    """Wake the relay for what was just committed, or tell that it was before."""
    if outcome.changed:
        deps.committed()
    if outcome.replay is not None:
        tell_replayed(response)


@dataclass(frozen=True, slots=True)
class _Called:
    """All that a command's route takes beside its body, as one dependency: FastAPI spends more on each than it does."""

    needs_if_match: bool

    async def __call__(
        self,
        request: Request,
        response: Response,
        key: KeyHeader = None,
        tokens: TokensHeader = None,
        wait: WaitQuery = 2.0,
        _if_match: IfMatchHeader = None,
        _if_none_match: IfNoneMatchHeader = None,
    ) -> CommandCall:
        scope = await scope_of(request, response, key)
        wish, conditions = await wish_of(tokens, wait), conditions_of(request.scope)
        if self.needs_if_match and conditions.if_match is None:
            raise precondition_required()
        return CommandCall(cause_of(request.scope[SCOPE_KEY]), scope.key, wish, conditions, response)


Call = Annotated[CommandCall, Depends(_Called(needs_if_match=False))]
ConditionalCall = Annotated[CommandCall, Depends(_Called(needs_if_match=True))]
"""As Call, and 428 without If-Match (S7)."""


REQUEST_REFUSED = problem_responses(*REQUEST)


def requests_router(deps: Dependencies) -> APIRouter:
    """POST /v1/sessions."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=REFUSED)

    @router.post("", status_code=201, summary="Request a session on a paid transaction", responses=REQUEST_REFUSED)
    async def request_session(body: RequestIn, caller: Member, call: Call) -> SessionOut:
        """It waits for the practitioner's time; its member gets a link to chat (R1 to R3)."""
        await call.consistency.visible(deps.database, CONSUMER, TOKENS)
        call.conditions.check_collection()
        person = person_of(caller)

        async def attempt() -> Outcome[State]:
            async with deps.database.autocommit() as conn:
                # Of a collection there is no version: its conditions were checked above.
                context = replace(call.context(deps.clock()), conditions=None)
                return await request(conn, person, body.transaction_id, body.assessment_id, context)

        outcome = await patiently(attempt, call.consistency.wait)
        after_commit(deps, outcome, call.response)
        async with deps.database.autocommit() as conn:
            row = await row_after(conn, outcome)
        call.response.headers["Location"] = f"/v1/sessions/{row['id']}"
        return shown(call.response, row, person)

    return router


SCHEDULE_REFUSED = problem_responses(*problems.SCHEDULE)
RESCHEDULE_REFUSED = problem_responses(*problems.SCHEDULE, 428)
REFUSED = problem_responses(400, 401, 403, 404, 409, 412, 413, 422, 429, 503)


def commands_router(deps: Dependencies) -> APIRouter:
    """What its people do to a session, below /v1/sessions/{session_id}."""
    router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["sessions"], responses=REFUSED)
    _schedule_routes(router, deps)
    _progress_routes(router, deps)
    _ending_routes(router, deps)
    return router


def _schedule_routes(router: APIRouter, deps: Dependencies) -> None:
    async def draft(kind: type[Schedule] | type[Reschedule], body: ScheduleIn, caller: Principal) -> Draft:
        try:
            link = deps.meeting_links.canonical(body.meeting_link)
        except InvalidLinkError as error:
            invalid_link("meeting_link", error)
        zone = body.timezone
        if zone is None:
            async with deps.database.autocommit() as conn:
                zone = await people.zone_of(conn, caller.sub) or deps.platform_timezone
        times = body.times(zone)
        return lambda actor, at: kind(actor, at, times, link)

    @router.post("/schedule", summary="Set date, time and meeting link (store)", responses=SCHEDULE_REFUSED)
    async def schedule_session(session_id: UUID, body: ScheduleIn, caller: Practitioner, call: Call) -> SessionOut:
        """The session is `scheduled` after it; neither party is ever in two places (S4)."""
        return await call.carry_out(deps, session_id, caller, await draft(Schedule, body, caller))

    @router.put("/schedule", summary="Change date, time or meeting link (update)", responses=RESCHEDULE_REFUSED)
    async def reschedule_session(
        session_id: UUID, body: ScheduleIn, caller: Practitioner, call: ConditionalCall
    ) -> SessionOut:
        """The whole schedule anew, decided on the version that `If-Match` names (S7)."""
        return await call.carry_out(deps, session_id, caller, await draft(Reschedule, body, caller))


def _progress_routes(router: APIRouter, deps: Dependencies) -> None:
    @router.post("/start", summary="Flag the session as running", responses=problem_responses(*problems.START))
    async def start_session(session_id: UUID, caller: Practitioner, call: Call) -> SessionOut:
        """By its practitioner, where the product does not start its sessions by itself."""
        return await call.carry_out(deps, session_id, caller, Start)

    @router.post("/result", summary="Upload the result, or replace it", responses=problem_responses(*problems.RESULT))
    async def upload_session_result(session_id: UUID, body: ResultIn, caller: Practitioner, call: Call) -> SessionOut:
        """The session is `completed` after it; a second upload replaces the first."""
        text = FreeText(uuid7(), caller.sub, body.result_notes, _result_link(deps, body.result_link))
        has_link, has_notes = text.link is not None, text.text is not None
        return await call.carry_out(
            deps,
            session_id,
            caller,
            lambda actor, at: UploadResult(actor, at, text.id, has_link, has_notes, body.ended_at),
            text,
        )


def _ending_routes(router: APIRouter, deps: Dependencies) -> None:
    def draft(kind: type[Cancel] | type[Fail], body: CancelIn | FailIn, caller: Principal) -> tuple[Draft, FreeText]:
        text = FreeText(uuid7(), caller.sub, body.reason)
        return lambda actor, at: kind(actor, at, body.reason_code, text.id), text

    @router.post("/cancel", summary="Cancel, with a reason", responses=problem_responses(*problems.CANCEL))
    async def cancel_session(session_id: UUID, body: CancelIn, caller: Party, call: Call) -> SessionOut:
        """By the member or the practitioner; the reason's code goes with who cancels (S5)."""
        return await call.carry_out(deps, session_id, caller, *draft(Cancel, body, caller))

    @router.post(
        "/fail",
        summary="Fail, for a technical or administrative reason",
        responses=problem_responses(*problems.FAIL),
    )
    async def fail_session(session_id: UUID, body: FailIn, caller: Admin, call: Call) -> SessionOut:
        """By an admin, also while it runs (S5)."""
        return await call.carry_out(deps, session_id, caller, *draft(Fail, body, caller))


def _result_link(deps: Dependencies, link: str | None) -> str | None:
    if link is None:
        return None
    try:
        return deps.result_links.canonical(link)
    except InvalidLinkError as error:
        invalid_link("result_link", error)
