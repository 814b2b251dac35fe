"""`/v1/held-records`: what an operator sees and does (api.md). Admins only; values may hold contact data."""

import base64
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol, get_args
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from booking_inbox import held, operations
from booking_inbox.held import Held
from booking_inbox.inbox import Inbox
from booking_inbox.operations import HeldNotFound, Report, StillHeld
from booking_process.database import Database
from booking_web.auth import AdminCaller
from booking_web.idempotency import Idempotency, IdempotencyTwin, tell_replayed
from booking_web.instants import InstantOut
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import Members, Problem, conflict, not_found, problem_responses

SETTLED = conflict("already_settled", "This record is not held any more.")


class InTheWay(Members, title="StillHeldProblem"):
    """The record that must be settled first, which may be the one that was asked for, and what is wrong with it."""

    blocking: UUID
    reason: held.Reason
    error: str | None


def still_held(asked: UUID, found: StillHeld) -> Problem:
    """409: the record in the way, which may be the one that was asked for, and why it is."""
    which = "This record" if found.blocking == asked else f"Record {found.blocking} of the same key"
    why = found.error or "its predecessor is missing"
    detail = f"{which} is in the way, {found.reason}: {why}"
    return conflict("still_held", detail, InTheWay(blocking=found.blocking, reason=found.reason, error=found.error))


ENUMERATIONS = {"HeldReason": get_args(held.Reason), "HeldOutcome": get_args(held.Settled)}
"""What the document calls by name."""

TAGS = {
    "held records": "Records that could not be applied, with all later ones of their keys, until people settle them."
}
"""What this router's operations are about."""
_EXAMPLE = UUID("0198d2a0-6666-7000-8000-000000000006")
STILL_HELD = still_held(UUID(int=0), StillHeld(_EXAMPLE, "undecodable", "Undecodable: the value is not JSON"))
"""As the document shows it."""

Operation = Callable[..., Awaitable[Report | StillHeld]]
"""As `operations.replay` and `operations.discard`."""


class HasInbox(Protocol):
    """A Consumer; it need not run in this process."""

    name: str
    inbox: Inbox


class HeldRecord(BaseModel):
    """A held record as lists show it."""

    id: UUID
    topic: str = Field(examples=["consultation.sessions.v1"])
    partition: int
    offset: int
    key: str | None = Field(examples=["0198d2a0-1111-7000-8000-000000000001"])
    consumer: str = Field(examples=["notifier.v1"])
    version: int | None
    reason: held.Reason
    attempts: int
    error: str | None = Field(examples=["expected version 2, found 3"])
    held_at: InstantOut
    outcome: held.Settled | None = Field(examples=[None])
    settled_at: InstantOut | None = Field(examples=[None])


class Content(BaseModel, title="RecordContent"):
    """Bytes: as text where they are text, always as base64."""

    base64: str = Field(examples=["e30="])
    text: str | None = Field(examples=["{}"])


class Header(BaseModel, title="RecordHeader"):
    """One header of the record."""

    name: str = Field(examples=["ce_type"])
    value: Content | None


class WholeHeldRecord(HeldRecord, title="HeldRecordDetails"):
    """A held record with its bytes."""

    settled_by: str | None = Field(examples=[None])
    raw_key: Content | None
    headers: list[Header]
    value: Content | None


def held_records_router(
    consumer: HasInbox | Sequence[HasInbox],
    database: Database,
    *,
    replay: Operation = operations.replay,
    discard: Operation = operations.discard,
    past: Sequence[str] = (),
) -> APIRouter:
    """The routes for these consumers' held records, for admins alone.

    `replay` and `discard` stand in for the usual ones; `past` names consumers that are no more: their settled records
    are still shown.
    """
    consumers: Sequence[HasInbox] = consumer if isinstance(consumer, Sequence) else [consumer]
    inboxes = {one.name: one.inbox for one in consumers}
    known = {*inboxes, *past}
    router = APIRouter(prefix="/v1/held-records", tags=["held records"], responses=problem_responses(401, 403, 503))

    @router.get("", responses=problem_responses(422))
    async def list_held_records(page: Page, _caller: AdminCaller) -> PageOf[HeldRecord]:
        """What is held now, newest first."""
        before = decode_cursor(page.cursor, UUID, of="held-records")[0] if page.cursor else None
        async with database.autocommit() as conn:
            found = await held.page(conn, list(inboxes), before=before, limit=page.limit + 1)
        more = encode_cursor(found[page.limit - 1].id, of="held-records") if len(found) > page.limit else None
        shown = [HeldRecord.model_validate(one, from_attributes=True) for one in found[: page.limit]]
        return PageOf[HeldRecord](**page_of(shown, more))

    @router.get("/{held_id}", responses=problem_responses(404, 422))
    async def get_held_record(held_id: UUID, _caller: AdminCaller) -> WholeHeldRecord:
        """One held record with its bytes, also after it was settled."""
        async with database.autocommit() as conn:
            return _whole(_ours(await held.find(conn, held_id), known))

    @router.post("/{held_id}/replay", responses=problem_responses(404, SETTLED, STILL_HELD, 422))
    async def replay_held_record(held_id: UUID, idempotency: Idempotency, caller: AdminCaller) -> WholeHeldRecord:
        """Apply the key's held records in order, this one included; 409 `still_held` names the one in the way."""
        return await _settled(inboxes, database, held_id, idempotency, replay, by=caller.actor("admin"))

    @router.post("/{held_id}/discard", responses=problem_responses(404, SETTLED, STILL_HELD, 422))
    async def discard_held_record(held_id: UUID, idempotency: Idempotency, caller: AdminCaller) -> WholeHeldRecord:
        """Give it up: its version counts as taken, what waited for it follows. The audit shows it for ever."""
        return await _settled(inboxes, database, held_id, idempotency, discard, by=caller.actor("admin"))

    return router


async def _settled(
    inboxes: dict[str, Inbox], database: Database, held_id: UUID, idempotency: Idempotency, operation: Any, *, by: str
) -> WholeHeldRecord:
    outcome = None
    try:
        async with database.transaction() as conn:
            found = _ours(await held.find(conn, held_id), inboxes)
            if await idempotency.replayed(conn, idempotency.key) is not None:
                tell_replayed(idempotency.response)
            else:
                outcome = await operation(inboxes[found.consumer], conn, held_id, by=by)
                if not isinstance(outcome, StillHeld):
                    await idempotency.remember(conn, idempotency.key, status=200, object_id=held_id, version=None)
            found = _ours(await held.find(conn, held_id), inboxes)
    except HeldNotFound:
        raise conflict("already_settled", "This record is not held any more.") from None
    except IdempotencyTwin:
        tell_replayed(idempotency.response)
        async with database.autocommit() as conn:
            found = _ours(await held.find(conn, held_id), inboxes)
    if isinstance(outcome, StillHeld):  # only now: the tries are noted, what went before it was applied
        raise still_held(held_id, outcome)
    return _whole(found)


def _ours(found: Held | None, consumers: Collection[str]) -> Held:
    if found is None or found.consumer not in consumers:
        raise not_found()
    return found


def _whole(found: Held) -> WholeHeldRecord:
    record = found.record
    return WholeHeldRecord(
        **{name: getattr(found, name) for name in HeldRecord.model_fields},
        settled_by=found.settled_by,
        raw_key=_content(record.key),
        headers=[Header(name=name, value=_content(value)) for name, value in record.headers],
        value=_content(record.value),
    )


def _content(data: bytes | None) -> Content | None:
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    return Content(base64=base64.b64encode(data).decode(), text=text)
