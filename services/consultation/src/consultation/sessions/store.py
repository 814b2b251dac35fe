"""How a FeedbackSession is stored: the aggregate that the command handler takes, its append, what it refuses and why.

CommandError
├── Refused           the decider said no
│   └── NotYet        ... on facts that another service may be about to tell: worth a short wait
├── Overlapped        somebody would be in two places (S4)
└── AlreadyRequested  R2: there is a session for this Transaction or assessment
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, LiteralString, get_args
from uuid import UUID

from prometheus_client import Counter, Histogram
from psycopg.rows import dict_row

from booking_contracts.ids import uuid7
from booking_contracts.topics import SESSIONS
from booking_store import (
    Aggregate,
    AppendSql,
    Change,
    CommandContext,
    CommandError,
    Connection,
    IdempotencyKey,
    Loaded,
    Outcome,
    Overlap,
    Refused,
    Stale,
    StoreError,
    StreamConflict,
    UniqueConflict,
    handle,
)
from consultation.entitlements.store import Facts, read_facts
from consultation.sessions.commands import SYSTEM, Actor, Command, Refusal, Request
from consultation.sessions.decider import decide, hidden, name_of
from consultation.sessions.lifecycle import HOLDS_TIME, CommandName, Role, ever
from consultation.sessions.state import (
    Canceled,
    Completed,
    Failed,
    NotRequested,
    OnProgress,
    PendingNegotiation,
    Scheduled,
    Session,
    State,
    evolve,
    meeting_of,
)

Party = Literal["practitioner", "member", "both"]


class NotYet(Refused):
    """What is unknown, unpaid or somebody else's so far; the event that would change it may be on its way."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Another session that holds the time, told only to who may see it."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime


class Overlapped(CommandError):
    """The time is taken for `party`; `conflicts` are those of the sessions in the way that the caller may see."""

    def __init__(self, party: Party, conflicts: tuple[Clash, ...]) -> None:
        super().__init__(f"the {party} has another session at that time")
        self.party: Party = party
        self.conflicts = conflicts


class AlreadyRequested(CommandError):
    """The first session's id; `used` when it is completed, so that the Transaction has nothing left to give."""

    def __init__(self, session_id: UUID, *, used: bool) -> None:
        super().__init__(f"session {session_id} is there already")
        self.session_id = session_id
        self.used = used


COMMANDS = Counter("consultation_commands_total", "Commands by what they came to.", ["command", "outcome"])
APPEND_SECONDS = Histogram(
    "consultation_append_seconds",
    "How long an append takes, its commit included.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
)
TIMER_LATENESS = Histogram(
    "consultation_timer_lateness_seconds",
    "How long after its time a timer acted.",
    ["timer"],
    buckets=(1, 2, 5, 15, 60, 300, 3600, 86400),
)


for _command in get_args(CommandName):
    for _came_to in ("accepted", "stale_version", "overlap", "changed_meanwhile"):
        COMMANDS.labels(_command, _came_to)  # at 0 before the first, so that `rate` sees it


@contextmanager
def counted(command: str) -> Generator[None]:
    """Count one attempt at a command by what it comes to."""
    try:
        yield
    except (CommandError, StoreError) as error:
        COMMANDS.labels(command, _outcome(error)).inc()
        raise
    COMMANDS.labels(command, "accepted").inc()


def _outcome(error: Exception) -> str:
    match error:
        case Refused():
            return error.refusal.code
        case Stale():
            return "stale_version"
        case Overlapped():
            return "overlap"
        case AlreadyRequested():
            return "transaction_used" if error.used else "active_session_exists"
        case _:
            return "changed_meanwhile"


STREAM_TYPE = "feedback_session"
ONE_PER_TRANSACTION = "one_per_transaction"
ONE_PER_ASSESSMENT = "one_per_assessment"

APPEND = AppendSql.load(
    "consultation.sessions",
    topic=SESSIONS.name,
    constraints={
        "feedback_session_one_per_transaction": ONE_PER_TRANSACTION,
        "feedback_session_one_per_assessment": ONE_PER_ASSESSMENT,
    },
)


def parameters(before: State, after: Session, *, entitlement_version: int | None) -> dict[str, Any]:
    """Everything that append.sql writes beside the events; `entitlement_version` guards a request, else None.

    `claimed` and `freed` are the persons whose claim is another one now; a claim that stays as it was isn't written.
    """
    held, holds = claims(before), claims(after)
    return {
        **row(after),
        "entitlement_version": entitlement_version,
        "claimed": sorted(person for person, span in holds.items() if held.get(person) != span),
        "freed": [person for person in held if person not in holds],
    }


def claims(state: State) -> dict[UUID, tuple[datetime, datetime]]:
    """S4: whose time the session holds, and which: `[starts_at, ends_at)`, as `time_claim` has it."""
    if isinstance(state, NotRequested) or state.status not in HOLDS_TIME:
        return {}
    meeting = meeting_of(state)
    assert meeting is not None  # what holds a time has one
    span = (meeting.slot.starts_at, meeting.slot.ends_at)
    return {state.about.practitioner_id: span, state.about.user_id: span}


def row(state: Session) -> dict[str, Any]:
    """The columns of `feedback_session` that the events alone give: the fold, as the table and `as_of` show it."""
    about, meeting = state.about, meeting_of(state)
    slot = meeting and meeting.slot
    return {
        "practitioner_id": about.practitioner_id,
        "user_id": about.user_id,
        "transaction_id": about.transaction_id,
        "assessment_id": about.assessment_id,
        "kind": about.kind,
        "auto_start": about.auto_start,
        "respond_by": about.respond_by,
        "schedule_version": about.schedule_version,
        "status": state.status,
        "scheduled_date": slot and slot.scheduled_date,
        "time_start": slot and slot.time_start,
        "time_end": slot and slot.time_end,
        "timezone": slot and slot.timezone,
        "ends_next_day": slot and slot.ends_next_day,
        "fold": slot and slot.fold,
        "fold_end": slot and slot.fold_end,
        "starts_at": slot and slot.starts_at,
        "ends_at": slot and slot.ends_at,
        "meeting_link": meeting and meeting.link,
        **_progress(state),
    }


def _progress(state: Session) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "started_at": None,
        "ended_at": None,
        "result_id": None,
        "result_has_link": False,
        "result_has_notes": False,
        "reason_code": None,
        "reason_id": None,
    }
    match state:
        case PendingNegotiation() | Scheduled():
            pass
        case OnProgress():
            fields["started_at"] = state.started_at
        case Completed():
            fields["started_at"], fields["ended_at"] = state.started_at, state.ended_at
            fields["result_id"] = state.result.result_id
            fields["result_has_link"] = state.result.has_link
            fields["result_has_notes"] = state.result.has_notes
        case Canceled():
            fields |= {"reason_code": state.ending.reason_code, "reason_id": state.ending.reason_id}
        case Failed():
            fields["started_at"] = state.started_at
            fields |= {"reason_code": state.ending.reason_code, "reason_id": state.ending.reason_id}
    return fields


# The caller sees a session in the way only as its party; an admin sees any (E1, S4).
_CLASHES = """
SELECT c.person_id, s.id, lower(c.during) AS starts_at, upper(c.during) AS ends_at,
       (%(admin)s OR %(caller)s IN (s.practitioner_id, s.user_id)) AS visible
FROM time_claim c JOIN feedback_session s ON s.id = c.session_id
WHERE c.person_id = ANY(%(persons)s) AND c.session_id <> %(id)s AND c.during && tstzrange(%(from)s, %(to)s, '[)')
ORDER BY c.during, s.id
LIMIT 20
"""
_FIRST: dict[str, LiteralString] = {
    ONE_PER_TRANSACTION: "SELECT id, status = 'completed' AS used FROM feedback_session "
    "WHERE transaction_id = %(transaction_id)s AND status NOT IN ('canceled', 'failed')",
    ONE_PER_ASSESSMENT: "SELECT id, false AS used FROM feedback_session "
    "WHERE assessment_id = %(assessment_id)s AND status IN ('pending_negotiation', 'scheduled', 'on_progress')",
}


async def overlap_of(conn: Connection, state: Session, actor: Actor) -> Overlapped | None:
    """Who is taken at the time that `state` wants, and by what; None when nobody is any more."""
    about, meeting = state.about, meeting_of(state)
    assert meeting is not None
    rows = await _rows(
        conn,
        _CLASHES,
        {
            "id": about.session_id,
            "persons": [about.practitioner_id, about.user_id],
            "caller": actor.person_id,
            "admin": actor.role == "admin",
            "from": meeting.slot.starts_at,
            "to": meeting.slot.ends_at,
        },
    )
    if not rows:
        return None
    taken = {row["person_id"] for row in rows}
    party: Party = "practitioner" if about.practitioner_id in taken else "member"
    if len(taken) == 2:
        party = "both"
    seen = {row["id"]: Clash(row["id"], row["starts_at"], row["ends_at"]) for row in rows if row["visible"]}
    return Overlapped(party, tuple(seen.values()))


async def first_request(conn: Connection, code: str, state: Session) -> AlreadyRequested | None:
    """R2: the session that was there before; None when it has ended meanwhile."""
    about = state.about
    params = {"transaction_id": about.transaction_id, "assessment_id": about.assessment_id}
    rows = await _rows(conn, _FIRST[code], params)
    return AlreadyRequested(rows[0]["id"], used=rows[0]["used"]) if rows else None


async def _rows(conn: Connection, query: LiteralString, params: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


Draft = Callable[[Actor, datetime], Command]
"""A command that still lacks its actor and its time."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls, with the roles of the token."""

    id: UUID
    roles: frozenset[str]

    def capacities(self, state: State) -> tuple[Actor, ...]:
        """What this person is to that session; nothing at all to most."""
        if isinstance(state, NotRequested):
            return ()
        about = state.about
        is_it: dict[Role, bool] = {
            "practitioner": self.id == about.practitioner_id,
            "member": self.id == about.user_id,
            "admin": True,
        }
        return tuple(Actor(role, self.id) for role, true in is_it.items() if true and role in self.roles)


def by_person(person: Person, draft: Draft, at: datetime) -> Callable[[State], Awaitable[Command]]:
    """The command, in the capacity in which this person may give it if there is one.

    For somebody to whom the session does not exist it comes from a stranger, and the decider says 404 (E1).
    """

    async def command(state: State) -> Command:
        commands = [draft(actor, at) for actor in person.capacities(state) or (Actor("member", person.id),)]
        return next((c for c in commands if c.actor.role in ever(name_of(c, state))), commands[0])

    return command


def by_system(draft: Draft, at: datetime) -> Command:
    """The command, given by a timer or another service's event."""
    return draft(SYSTEM, at)


async def _explain(conn: Connection, error: StoreError, change: Change[Command, State]) -> Exception | None:
    """Whose time is taken, which session was first; what stood in the way may be gone already."""
    assert not isinstance(change.after, NotRequested)
    if isinstance(error, Overlap):
        return await overlap_of(conn, change.after, change.command.actor) or StreamConflict("free again")
    if isinstance(error, UniqueConflict):
        return await first_request(conn, error.code, change.after) or StreamConflict("ended meanwhile")
    return None


def _parameters(change: Change[Command, State]) -> dict[str, object]:
    assert not isinstance(change.after, NotRequested)
    entitlement_version = change.command.entitlement.version if isinstance(change.command, Request) else None
    return parameters(change.before, change.after, entitlement_version=entitlement_version)


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
        entitlement = facts.entitlement
        if entitlement is None or entitlement.user_id != person.id:
            raise NotYet(Refusal("not_found", "There is no such transaction."))
        if assessment_id is not None and (facts.assessment is None or facts.assessment.user_id != person.id):
            raise NotYet(Refusal("not_found", "There is no such assessment."))
        return Request(Actor("member", person.id), context.at, session_id, entitlement, facts.assessment)

    try:
        return await handle(conn, SESSION, session_id, command, context, load=load)
    except NotYet:
        raise
    except Refused as refused:
        if facts.entitlement is not None and facts.entitlement.status == "awaiting_payment":
            raise NotYet(refused.refusal) from None
        raise
