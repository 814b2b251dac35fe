"""What every command's route takes beside its body: context, idempotency key, condition, consistency, headers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response

from booking_store import Cause, CommandContext, FreeText, Outcome, handle
from booking_web.auth import require
from booking_web.consistency import Consistency, ConsistencyWish
from booking_web.context import RequestContext
from booking_web.etag import Conditions, Preconditions, RequiredPreconditions
from booking_web.idempotency import Idempotency, IdempotencyKey
from booking_web.principal import Principal
from consultation.api.answers import cause_of, person_of, row_after, shown
from consultation.api.models import SessionOut
from consultation.desk import CONSUMER, TOKENS, Desk
from consultation.handlers import SESSION
from consultation.orders import Draft, by_person
from consultation.session.state import State

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
        self, desk: Desk, session_id: UUID, caller: Principal, draft: Draft, text: FreeText | None = None
    ) -> SessionOut:
        """Give the command in the caller's name; the session as it left it."""
        await self.consistency.visible(desk.database, CONSUMER, TOKENS)
        at = desk.clock()
        command, context = by_person(person_of(caller), draft, at), self.context(at, text)
        async with desk.database.autocommit() as conn:
            outcome = await handle(conn, SESSION, session_id, command, context)
            after_commit(desk, outcome)
            return shown(self.response, await row_after(conn, outcome, text), caller.sub)


def after_commit(desk: Desk, outcome: Outcome[State]) -> None:
    """Wake the relay for what was just committed."""
    if outcome.changed:
        desk.committed()


@dataclass(frozen=True, slots=True)
class _Unconditional:
    """The parts that every call has."""

    cause: Cause
    key: IdempotencyKey | None
    consistency: ConsistencyWish
    response: Response

    def under(self, conditions: Conditions) -> CommandCall:
        return CommandCall(self.cause, self.key, self.consistency, conditions, self.response)


# Coroutines, though they await nothing: FastAPI sends a plain function to a thread, which costs more than it does.
async def _parts(
    context: RequestContext, idempotency: Idempotency, consistency: Consistency, response: Response
) -> _Unconditional:
    return _Unconditional(cause_of(context), idempotency.key, consistency, response)


Parts = Annotated[_Unconditional, Depends(_parts)]


async def _call(parts: Parts, conditions: Preconditions) -> CommandCall:
    return parts.under(conditions)


async def _conditional_call(parts: Parts, conditions: RequiredPreconditions) -> CommandCall:
    return parts.under(conditions)


Call = Annotated[CommandCall, Depends(_call)]
ConditionalCall = Annotated[CommandCall, Depends(_conditional_call)]
"""As Call, and 428 without If-Match (S7)."""
