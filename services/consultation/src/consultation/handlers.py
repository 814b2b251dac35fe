"""The FeedbackSession as the command handler takes it, and the request that begins one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from booking_contracts.ids import uuid7
from booking_store import (
    Aggregate,
    Change,
    CommandContext,
    Connection,
    IdempotencyKey,
    Loaded,
    Outcome,
    Overlap,
    Refused,
    StoreError,
    StreamConflict,
    UniqueConflict,
    handle,
)
from consultation import conflicts
from consultation.errors import NotYet
from consultation.metrics import APPEND_SECONDS, counted
from consultation.orders import Person
from consultation.sales import Facts, read_facts
from consultation.session.append import APPEND, STREAM_TYPE, parameters
from consultation.session.commands import Actor, Command, Request
from consultation.session.decider import decide, hidden, name_of
from consultation.session.evolve import evolve
from consultation.session.refusal import Refusal
from consultation.session.state import NotRequested, State

Clock = Callable[[], datetime]


def now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


async def _explain(conn: Connection, error: StoreError, change: Change[Command, State]) -> Exception | None:
    """Whose time is taken, which session was first; what stood in the way may be gone already."""
    assert not isinstance(change.after, NotRequested)
    if isinstance(error, Overlap):
        return await conflicts.overlap_of(conn, change.after, change.command.actor) or StreamConflict("free again")
    if isinstance(error, UniqueConflict):
        return await conflicts.first_request(conn, error.code, change.after) or StreamConflict("ended meanwhile")
    return None


def _parameters(change: Change[Command, State]) -> dict[str, object]:
    assert not isinstance(change.after, NotRequested)
    sale_version = change.command.sale.version if isinstance(change.command, Request) else None
    return parameters(change.after, sale_version=sale_version)


SESSION: Aggregate[Command, State] = Aggregate(
    stream_type=STREAM_TYPE,
    initial=NotRequested(),
    decide=decide,
    evolve=lambda state, event, _at: evolve(state, event),
    append=APPEND,
    parameters=_parameters,
    hides=lambda command, state, _context: hidden(command, state),
    explain=_explain,
    cause=lambda command, cause: replace(cause, actor=str(command.actor)),
    observe=lambda command, state: counted(name_of(command, state)),
    observe_append=APPEND_SECONDS.time,
)


async def request(
    conn: Connection, person: Person, transaction_id: UUID, assessment_id: UUID | None, context: CommandContext
) -> Outcome[State]:
    """R1, R2: start a session on a paid Transaction. Its facts are read with the key, in one statement."""
    session_id = uuid7()
    facts = Facts(None, None, None)

    async def load(conn: Connection, _session_id: UUID, key: IdempotencyKey | None) -> Loaded:
        nonlocal facts
        facts = await read_facts(conn, transaction_id, assessment_id, key)
        return Loaded([], facts.remembered)

    async def command(_state: State) -> Request:
        sale = facts.sale
        if sale is None or sale.user_id != person.id:
            raise NotYet(Refusal("not_found", "There is no such transaction."))
        if assessment_id is not None and (facts.assessment is None or facts.assessment.user_id != person.id):
            raise NotYet(Refusal("not_found", "There is no such assessment."))
        return Request(Actor("member", person.id), context.at, session_id, sale, facts.assessment)

    try:
        return await handle(conn, SESSION, session_id, command, context, load=load)
    except NotYet:
        raise
    except Refused as refused:
        if facts.sale is not None and facts.sale.status == "awaiting_payment":
            raise NotYet(refused.refusal) from None
        raise
