"""Commands carried out: load, decide, append; two round trips, one commit, or an error of errors.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from booking_store import (
    GuardFailed,
    IdempotencyKey,
    IdempotencyTwin,
    Loaded,
    Overlap,
    Remembered,
    StreamConflict,
    UniqueConflict,
    load_with_key,
)
from booking_web.etag import UNCONDITIONAL, Conditions
from consultation import conflicts
from consultation.errors import Busy, KeyReused, NotYet, Refused, Stale
from consultation.metrics import APPEND_SECONDS, counted
from consultation.orders import Origin, Person
from consultation.sales import Facts, read_facts
from consultation.session.append import APPEND, STREAM_TYPE, FreeText, parameters
from consultation.session.commands import Actor, Command, Request
from consultation.session.decider import decide, name_of
from consultation.session.evolve import DomainEvent, evolve, fold
from consultation.session.refusal import Refusal
from consultation.session.state import NotRequested, Session, State

Connection = psycopg.AsyncConnection[Any]
Clock = Callable[[], datetime]

# A command that lost a race decides once more on what the winner left; a third try only meets an idempotency twin's
# record or a sale that several events change at once.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Done:
    """What a command led to. `text` is what it brought and stored."""

    state: Session
    version: int
    requested_at: datetime
    text: FreeText | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Given:
    """One attempt's command with what it was decided on."""

    command: Command
    state: State
    version: int
    requested_at: datetime
    text: FreeText | None = None
    sale_version: int | None = None


class _TryAgain(Exception):
    """What stood in the way is gone already."""


def now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


async def give(
    conn: Connection,
    session_id: UUID,
    command: Callable[[State], Command],
    *,
    origin: Origin,
    text: FreeText | None = None,
    key: IdempotencyKey | None = None,
    conditions: Conditions = UNCONDITIONAL,
) -> Done | Remembered:
    """Give a command to a session; the earlier success's record when `key` has one."""

    async def attempt() -> Done | Remembered:
        loaded = await load_with_key(conn, session_id, key)
        if loaded.remembered is not None:
            return _same(loaded.remembered, key)
        state = fold(stored.event for stored in loaded.events)
        given = Given(command(state), state, loaded.version, _requested_at(loaded), text)
        with counted(name_of(given.command, state)):
            return await _decide_and_append(conn, session_id, given, origin=origin, key=key, conditions=conditions)

    return await _tried(attempt)


async def request(
    conn: Connection,
    person: Person,
    transaction_id: UUID,
    assessment_id: UUID | None,
    *,
    at: datetime,
    origin: Origin,
    key: IdempotencyKey | None = None,
) -> Done | Remembered:
    """R1, R2: start a session on a paid Transaction."""

    async def attempt() -> Done | Remembered:
        facts = await read_facts(conn, transaction_id, assessment_id, key)
        if facts.remembered is not None:
            return _same(facts.remembered, key)
        sale = facts.sale
        if sale is None or sale.user_id != person.id:
            raise NotYet(Refusal("not_found", "There is no such transaction."))
        if assessment_id is not None and (facts.assessment is None or facts.assessment.user_id != person.id):
            raise NotYet(Refusal("not_found", "There is no such assessment."))
        session_id = uuid7()
        command = Request(Actor("member", person.id), at, session_id, sale, facts.assessment)
        given = Given(command, NotRequested(), 0, at, sale_version=sale.version)
        try:
            with counted(command.name):
                return await _decide_and_append(conn, session_id, given, origin=origin, key=key)
        except Refused as refused:
            raise _perhaps_later(refused, facts) from None

    return await _tried(attempt)


async def _tried(attempt: Callable[[], Awaitable[Done | Remembered]]) -> Done | Remembered:
    for _ in range(TRIES):
        try:
            return await attempt()
        except (StreamConflict, GuardFailed, IdempotencyTwin, _TryAgain):
            continue
    raise Busy


async def _decide_and_append(
    conn: Connection,
    session_id: UUID,
    given: Given,
    *,
    origin: Origin,
    key: IdempotencyKey | None = None,
    conditions: Conditions = UNCONDITIONAL,
) -> Done:
    command, events, state = given.command, _decided(given, conditions), given.state
    for event in events:
        state = evolve(state, event)
    assert not isinstance(state, NotRequested)
    if not events:
        return Done(state, given.version, given.requested_at, changed=False)
    try:
        with APPEND_SECONDS.time():
            appended = await APPEND.run(
                conn,
                stream_type=STREAM_TYPE,
                stream_id=session_id,
                expected=given.version,
                events=events,
                cause=origin.cause(command.actor),
                occurred_at=command.at,
                idempotency=key,
                params=parameters(state, sale_version=given.sale_version, text=given.text),
            )
    except Overlap:
        found = await conflicts.overlap_of(conn, state, command.actor)
        raise found or _TryAgain from None
    except UniqueConflict as conflict:
        found = await conflicts.first_request(conn, conflict.code, state)
        raise found or _TryAgain from None
    return Done(state, appended.version, given.requested_at, given.text)


def _decided(given: Given, conditions: Conditions) -> tuple[DomainEvent, ...]:
    decision = decide(given.command, given.state)
    if isinstance(decision, Refusal) and decision.code in {"not_found", "forbidden"}:
        raise Refused(decision)  # who may not know of it learns nothing of its version either
    if not conditions.allow(given.version):
        raise Stale(given.version)
    if isinstance(decision, Refusal):
        raise Refused(decision)
    return decision


def _same(remembered: Remembered, key: IdempotencyKey | None) -> Remembered:
    if key is None or remembered.sha != key.sha:
        raise KeyReused
    return remembered


def _perhaps_later(refused: Refused, facts: Facts) -> Refused:
    waits = facts.sale is not None and facts.sale.status == "awaiting_payment"
    return NotYet(refused.refusal) if waits else refused


def _requested_at(loaded: Loaded) -> datetime:
    return loaded.events[0].occurred_at if loaded.events else now()
