"""`/v1/projections`: how far behind the calendar is (C2), and its rebuild. Admins only."""

from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from booking_process.database import Database
from booking_web.auth import AdminCaller
from booking_web.idempotency import Idempotency, Written
from booking_web.instants import InstantOut
from booking_web.pages import Page, PageOf, decode_cursor, page_of
from booking_web.problems import conflict, not_found, problem_responses, unavailable
from calendar_projector.projection import generations
from calendar_projector.projection.generations import NothingToGoBackTo, RebuildRunning
from calendar_projector.projection.state import NAME, State, state

Name = Annotated[str, Path(max_length=100, description="The projection: `user_schedule`.", examples=["user_schedule"])]
Back = Annotated[bool, Query(description="Show the generation before this one again, instead of building a new one.")]


REFUSALS = (
    conflict("rebuild_running", "A rebuild is in hand."),
    conflict("nothing_to_go_back_to", "There is no generation before this one."),
)


class Begun(BaseModel, title="RebuildStart"):
    """A rebuild that workers have in hand; watch it in `GET /v1/projections`."""

    name: str = Field(examples=["user_schedule"])
    generation: int
    started_at: InstantOut


def projections_router(database: Database) -> APIRouter:
    """The projection `user_schedule`."""
    router = APIRouter(prefix="/v1/projections", tags=["projections"], responses=problem_responses(401, 403, 429, 503))

    @router.get("", responses=problem_responses(422))
    async def list_projections(_caller: AdminCaller, page: Page) -> PageOf[State]:
        """Per projection: position, lag in events and seconds, and the state of its rebuild with progress and ETA."""
        after = decode_cursor(page.cursor, str, of="projections")[0] if page.cursor else ""
        async with database.autocommit() as conn:
            found = [await state(conn)] if after < NAME else []
        return PageOf[State](**page_of(found, None))

    @router.post("/{name}/rebuild", status_code=202, responses=problem_responses(404, *REFUSALS, 422))
    async def rebuild_projection(
        name: Name, caller: AdminCaller, idempotency: Idempotency, *, back: Back = False
    ) -> Begun:
        """Build the rows anew from the log alone, beside those that are shown, and switch once they have caught up."""
        _known(name)

        async def change(conn: psycopg.AsyncConnection) -> Written:
            return Written(202, None, await _begin(conn, by=caller.actor("admin"), back=back))

        written, _ = await idempotency.once(database, change)
        async with database.autocommit() as conn:
            row = await (
                await conn.execute("SELECT started_at FROM generation WHERE id = %s", (written.version,))
            ).fetchone()
        assert row is not None
        return Begun(name=name, generation=written.version or 0, started_at=row[0])

    @router.delete("/{name}/rebuild", status_code=204, responses=problem_responses(404, 422))
    async def abandon_projection_rebuild(name: Name, _caller: AdminCaller, idempotency: Idempotency) -> None:
        """Give up the rebuild in hand; what is shown was never touched by it."""
        _known(name)

        async def change(conn: psycopg.AsyncConnection) -> Written:
            if not await generations.abandon(conn):
                raise not_found()
            return Written(204, None, None)

        await idempotency.once(database, change)

    return router


def _known(name: str) -> None:
    if name != NAME:
        raise not_found()


async def _begin(conn: psycopg.AsyncConnection[Any], *, by: str, back: bool) -> int:
    try:
        return await (generations.begin_going_back if back else generations.begin_rebuild)(conn, by=by)
    except RebuildRunning as running:
        raise conflict("rebuild_running", f"{running}.") from None
    except NothingToGoBackTo as nothing:
        raise conflict("nothing_to_go_back_to", f"{nothing}.") from None
    except psycopg.errors.LockNotAvailable:
        raise unavailable("unavailable", "The other slot is being read. Try again.") from None
