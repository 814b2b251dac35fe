"""`/v1/erasures`: forget a person (E4), as the job `checkout erase` does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from booking_contracts.event import Instant
from booking_process.database import Database
from booking_store import StreamConflict
from booking_web.auth import AdminCaller
from booking_web.context import RequestContext
from booking_web.problems import not_found, problem_responses, unavailable
from checkout.api.person import ERASED
from checkout.contexts import by_person
from checkout.erasure import erase
from checkout.ranking.months import Months


class ErasureView(BaseModel):
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
        command = by_person(caller, context, role="admin")
        try:
            done = await erase.erase(database, person_id, command, months, resend_after)
        except StreamConflict:
            raise unavailable(detail="Others erase the same person. Try again.", retry_after=1) from None
        poke()
        response.headers["Cache-Control"] = "no-store"
        return _view(done)

    @router.get("/{person_id}", responses=problem_responses(404))
    async def get_erasure(person_id: UUID, _caller: AdminCaller) -> ErasureView:
        """How far an erasure is."""
        async with database.autocommit() as conn:
            found = await erase.find(conn, person_id)
        if found is None:
            raise not_found()
        return _view(found)

    return router


def _view(found: erase.Erasure) -> ErasureView:
    return ErasureView(person_id=found.person_id, erased_at=found.erased_at, again_at=found.again_at)
