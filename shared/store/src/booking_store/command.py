"""The one way a command is carried out: load, decide, append at the version that was decided on.

    outcome = await handle(conn, TRANSACTION, transaction_id, Cancel(reason_id), context)

A command that lost a race decides again on what the winner left. The idempotency key is read with the stream, written
with the events, and read again before any refusal is told: the twin of a success must get the success, never the
refusal that the success itself brought about (test_twins__both_get_the_first_answer).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar, cast
from uuid import UUID

import psycopg

from booking_contracts.event import Event
from booking_store.append import AppendSql, Cause, IdempotencyKey
from booking_store.errors import (
    Busy,
    CommandError,
    GuardFailed,
    IdempotencyTwin,
    KeyReused,
    Refused,
    Stale,
    StoreError,
    StreamConflict,
)
from booking_store.streams import Loaded, LoadedEvent, Remembered, Stored, load_with_key

C = TypeVar("C")
S = TypeVar("S")
Connection = psycopg.AsyncConnection[Any]

ATTEMPTS: Final = 3
"""A command that lost a race decides once more; a third attempt only meets what several others change at once."""


class Conditions(Protocol):
    """Which version the caller decided on (If-Match)."""

    def allow(self, current: int | None) -> bool:
        """Whether what is at this version now may be changed; None: there is nothing."""
        ...


class Refusal(Protocol):
    """A decider's no: a value of the domain. ``code`` is stable, ``detail`` is for people."""

    @property
    def code(self) -> str: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FreeText:
    """What somebody wrote with a command; stored apart from the event that carries its id, so it can be erased (E4)."""

    id: UUID
    author_id: UUID | None
    text: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Who asks, why and when, with which key and on which version, and the words that come along."""

    cause: Cause
    at: datetime
    key: IdempotencyKey | None = None
    conditions: Conditions | None = None
    text: FreeText | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[C, S]):
    """What was decided and is about to be appended."""

    command: C
    before: S
    events: Sequence[Event]
    after: S
    context: CommandContext


async def _nothing_special(_conn: Connection, _error: StoreError, _change: Any) -> Exception | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[C, S]):
    """An aggregate as a value. ``decide`` and ``evolve`` are pure; what it relies on is the guard of its ``append``.

    ``parameters`` gives what the append writes beside the events (its guard's facts too). ``hides`` tells whom it does
    not exist for: they learn nothing of its version either (E1). ``explain`` says what the database's refusal means to
    the domain, StreamConflict for: decide again; None: as usual. ``cause`` fills in who acts, where the command knows
    it. ``observe`` is around each attempt, ``observe_append`` around its append.
    """

    stream_type: str
    initial: S
    decide: Callable[[C, S], Sequence[Event] | Refusal]
    evolve: Callable[[S, Event, datetime], S]
    append: AppendSql
    parameters: Callable[[Change[C, S]], Mapping[str, Any]]
    hides: Callable[[C, S, CommandContext], Refusal | None] = lambda _command, _state, _context: None
    explain: Callable[[Connection, StoreError, Change[C, S]], Awaitable[Exception | None]] = _nothing_special
    cause: Callable[[C, Cause], Cause] = lambda _command, cause: cause
    observe: Callable[[C, S], AbstractContextManager[Any]] = lambda _command, _state: nullcontext()
    observe_append: Callable[[], AbstractContextManager[Any]] = nullcontext

    def fold(self, stored: Iterable[Stored | LoadedEvent]) -> S:
        """The state after these events; those of a stream of another type are none of its."""
        state = self.initial
        for one in stored:
            if one.stream_type == self.stream_type:
                state = self.evolve(state, one.event, one.occurred_at)
        return state


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """What a command came to. ``replay`` is the record of the first success under its key, where there was one."""

    id: UUID
    state: S
    version: int
    began_at: datetime
    changed: bool = True
    replay: Remembered | None = None


async def handle(
    conn: Connection,
    aggregate: Aggregate[C, S],
    stream_id: UUID,
    command: C | Callable[[S], Awaitable[C]],
    context: CommandContext,
    *,
    attempts: int = ATTEMPTS,
    load: Callable[[Connection, UUID, IdempotencyKey | None], Awaitable[Loaded]] = load_with_key,
) -> Outcome[S]:
    """Carry out a command: two round trips, one commit. Raises `CommandError`s, the domain's own among them.

    ``command`` may be how to put it together of the state and of facts, anew for each attempt and only once no replay
    has answered. Within a transaction it is part of that, and a refusal leaves the transaction usable. ``load`` is for
    a new stream, whose facts and key are read in one statement instead.
    """
    for _ in range(attempts):
        loaded = await load(conn, stream_id, context.key)
        if loaded.remembered is not None:
            return _replay(aggregate, stream_id, loaded, context)
        try:
            return await _attempt(conn, aggregate, stream_id, command, context, loaded=loaded)
        except StreamConflict:
            continue
        except (CommandError, IdempotencyTwin):
            if context.key is not None:
                loaded = await load(conn, stream_id, context.key)
                if loaded.remembered is not None:
                    return _replay(aggregate, stream_id, loaded, context)
            raise
    raise Busy(f"{aggregate.stream_type} {stream_id} kept changing")


async def _attempt(
    conn: Connection,
    aggregate: Aggregate[C, S],
    stream_id: UUID,
    command: C | Callable[[S], Awaitable[C]],
    context: CommandContext,
    *,
    loaded: Loaded,
) -> Outcome[S]:
    state = aggregate.fold(loaded.events)
    if callable(command):
        command = await cast("Callable[[S], Awaitable[C]]", command)(state)
    with aggregate.observe(command, state):
        change = _decided(aggregate, command, state, loaded.version, context)
        began_at = loaded.events[0].occurred_at if loaded.events else context.at
        if not change.events:
            return Outcome(stream_id, state, loaded.version, began_at, changed=False)
        version = await _append(conn, aggregate, stream_id, loaded.version, change)
        return Outcome(stream_id, change.after, version, began_at)


def _decided(aggregate: Aggregate[C, S], command: C, state: S, version: int, context: CommandContext) -> Change[C, S]:
    hidden = aggregate.hides(command, state, context)
    if hidden is not None:
        raise Refused(hidden)
    if context.conditions is not None and not context.conditions.allow(version or None):
        raise Stale(version or None)
    decision = aggregate.decide(command, state)
    if not isinstance(decision, Sequence):
        raise Refused(decision)
    after = state
    for event in decision:
        after = aggregate.evolve(after, event, context.at)
    return Change(command, state, decision, after, context)


async def _append(
    conn: Connection, aggregate: Aggregate[C, S], stream_id: UUID, version: int, change: Change[C, S]
) -> int:
    context, text = change.context, change.context.text
    words = {"text_id": text and text.id, "author_id": text and text.author_id}
    words |= {"text": text and text.text, "link": text and text.link}
    try:
        with aggregate.observe_append():
            appended = await aggregate.append.run(
                conn,
                stream_type=aggregate.stream_type,
                stream_id=stream_id,
                expected=version,
                events=change.events,
                cause=aggregate.cause(change.command, context.cause),
                occurred_at=context.at,
                idempotency=context.key,
                params={**words, **aggregate.parameters(change)},
            )
    except IdempotencyTwin:
        raise
    except StoreError as error:
        meaning = await aggregate.explain(conn, error, change)
        if meaning is None and isinstance(error, GuardFailed):
            meaning = StreamConflict(str(error))
        if meaning is None:
            raise
        raise meaning from error
    return appended.version


def _replay(aggregate: Aggregate[C, S], stream_id: UUID, loaded: Loaded, context: CommandContext) -> Outcome[S]:
    if loaded.remembered is None or context.key is None or loaded.remembered.sha != context.key.sha:
        raise KeyReused
    state = aggregate.fold(loaded.events)
    return Outcome(stream_id, state, loaded.version, context.at, changed=False, replay=loaded.remembered)
