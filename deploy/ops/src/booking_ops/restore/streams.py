"""One stream brought back: the events that its store lost, its row, its claims, all in one transaction.

Everybody took the topic's history, so that history stands. What fits (its versions go on where the store's end) is
added as it was, with its ids. What the store took instead since is set aside, word for word in the report: nobody was
told of it, as the relay refuses to publish while the store is older than its topics. Left for people is what money
hangs on, and what was published twice. A session whose time or right was given away meanwhile comes back and is ended
at once, by an event of its own: consumers free the calendar's row and stop its messages as for any session that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

import psycopg
from psycopg.errors import ExclusionViolation, UniqueViolation

from booking_contracts.event import Event
from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS, Topic
from booking_contracts.transactions import TransactionPaid
from booking_ops.restore.beyond import Told
from booking_store import Aggregate, AppendSql, Cause, Change, CommandContext, Overlap, Stored, UniqueConflict, load
from checkout.people.erasure import PERSON
from checkout.transactions.state import Absent, AwaitingPayment, practitioner_of
from checkout.transactions.store import TRANSACTION
from consultation.sessions.commands import Actor, Fail
from consultation.sessions.state import NotRequested
from consultation.sessions.store import SESSION

Came = Literal["brought back", "brought back and ended", "left"]
OPERATOR = uuid5(UUID(int=0), "booking-ops restore")
"""Who ends a session that can't stand any more."""
_MONEY = frozenset(
    {
        "TransactionPaid",
        "PaymentNeedsReview",
        "PaymentReviewSettled",
        "RefundRequested",
        "RefundFailed",
        "TransactionRefunded",
    }
)
_INSERT = """
INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata, traceparent, occurred_at,
    recorded_at)
VALUES (%s, %s, %s, %s, %s, %s, %s::json, %s::json, %s, %s, %s)"""
# What the append writes beside the events, of events that are there already: nothing is marked, the topic has them.
_THERE = """
    SELECT position, version, recorded_at FROM events
    WHERE stream_id = %(stream_id)s::uuid AND version = %(expected)s::int + 1"""
_SET_ASIDE = (
    "ALTER TABLE events DISABLE TRIGGER events_are_never_changed",
    "DELETE FROM outbox WHERE topic = %(topic)s AND position = ANY(%(positions)s)",
    "DELETE FROM idempotency WHERE object_id = %(stream)s AND version > %(version)s",
    "DELETE FROM events WHERE stream_id = %(stream)s AND version > %(version)s",
    "ALTER TABLE events ENABLE TRIGGER events_are_never_changed",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What must be known of an aggregate to bring its streams back."""

    topic: Topic
    aggregate: Aggregate[Any, Any]
    rows: AppendSql
    people: Callable[[Any], Mapping[str, str]]


@dataclass(slots=True)
class Returned:
    """What came of one stream. ``set_aside`` are the store's own events that gave way, whole; ``lost`` texts that no
    topic carries."""

    topic: str
    stream: str
    came: Came
    why: str = ""
    events: int = 0
    people: Mapping[str, str] = field(default_factory=dict[str, str])
    set_aside: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lost: list[str] = field(default_factory=list[str])


def _rows(package: str) -> AppendSql:
    text = (files(package) / "append.sql").read_text("utf-8")
    return AppendSql(text.replace("{{events}}", _THERE.strip()).replace("{{outbox}}", "SELECT 1"))


def _of_session(state: Any) -> Mapping[str, str]:
    about = None if isinstance(state, NotRequested) else state.about
    return {} if about is None else {"member": str(about.user_id), "practitioner": str(about.practitioner_id)}


def _of_sale(state: Any) -> Mapping[str, str]:
    if isinstance(state, Absent):
        return {}
    return {"member": str(state.sale.user_id), "practitioner": str(practitioner_of(state.sale))}


KINDS: dict[str, tuple[Kind, ...]] = {
    "checkout": (
        Kind(TRANSACTIONS, TRANSACTION, _rows("checkout.transactions"), _of_sale),
        Kind(ERASURES, PERSON, _rows("checkout.people"), lambda _state: {}),
    ),
    "consultation": (Kind(SESSIONS, SESSION, _rows("consultation.sessions"), _of_session),),
    "notifier": (),
}
"""The event topics of each service that can be brought back; the notifier's state topics are rows alone."""


@dataclass(frozen=True, slots=True)
class _Histories:
    """A stream up to where its store and its topic agree, and what each of them tells after that."""

    kind: Kind
    kept: Sequence[Stored]
    told: Sequence[Told]
    instead: Sequence[Stored]

    @property
    def stream(self) -> UUID:
        return self.told[0].stream_id

    def as_stored(self) -> Any:
        """The state as the store has it."""
        return self.kind.aggregate.fold([*self.kept, *self.instead])

    def as_told(self) -> Any:
        """The state as everybody else knows it."""
        state = self.kind.aggregate.fold(self.kept)
        for one in self.told:
            state = self.kind.aggregate.evolve(state, one.event, one.occurred_at)
        return state


async def bring_back(
    conn: psycopg.AsyncConnection[Any],
    kind: Kind,
    told: Sequence[Told],
    published: Collection[UUID],
    keep: Callable[[Returned], object] = lambda _planned: None,
) -> Returned:
    """Bring one stream back, or say why not; nothing of it is changed then. ``keep`` is told what is about to be done,
    with all that will be set aside, before it is."""
    told = sorted(told, key=lambda one: one.version)
    stored = await load(conn, told[0].stream_id)
    kept = [one for one in stored if one.version < told[0].version]
    both = _Histories(kind, kept, told, stored[len(kept) :])
    aside = [_as_data(one) for one in both.instead]
    came = Returned(kind.topic.name, str(both.stream), "brought back", events=len(told), set_aside=aside)
    came.people = kind.people(both.as_told()) if told[0].version == len(kept) + 1 else kind.people(both.as_stored())
    came.why = _in_the_way(both, published)
    if came.why:
        came.came = "left"
        return came
    came.lost = _texts(told)
    keep(came)
    try:
        async with conn.transaction():
            await _tell_as_the_topic(conn, both)
            change = Change(
                None, both.as_stored(), [one.event for one in told], both.as_told(), _context(told[-1].occurred_at)
            )
            await _append(conn, both, kind.rows, change, after=told[-1].version - 1)
    except (Overlap, UniqueConflict, ExclusionViolation, UniqueViolation) as taken:
        came.why = f"its time or its right was given away since ({type(taken).__name__})"
        came.came = "brought back and ended" if await _ended(conn, both) else "left"
    return came


def _in_the_way(both: _Histories, published: Collection[UUID]) -> str:
    versions = [one.version for one in both.told]
    if versions != list(range(len(both.kept) + 1, len(both.kept) + len(both.told) + 1)):
        return f"the topic lacks an earlier version than {versions[0]}, or one in between"
    if any(one.id in published for one in both.instead):
        return "both histories were published"
    money = {one.type for one in both.instead} & _MONEY
    if money and not _same_money(both):
        return f"money hangs on what the store took instead: {', '.join(sorted(money))}"
    return ""


def _same_money(both: _Histories) -> bool:
    """Whether all that the store took of money is a payment that the topic tells of too: the provider said it twice."""
    paid = {_payment(one.event) for one in both.told} - {None}
    ours = [_payment(one.event) for one in both.instead if one.type in _MONEY]
    return all(one in paid for one in ours)


def _payment(event: Event) -> tuple[str, str] | None:
    """Which payment an event tells to be here, as its provider names it."""
    return (event.provider, event.provider_payment_id) if isinstance(event, TransactionPaid) else None


async def _tell_as_the_topic(conn: psycopg.AsyncConnection[Any], both: _Histories) -> None:
    """The stream's events, and they alone."""
    if both.instead:
        gone = {"topic": both.kind.topic.name, "stream": both.stream, "version": len(both.kept)}
        gone["positions"] = [one.position for one in both.instead]
        for statement in _SET_ASIDE:
            await conn.execute(statement, gone if "%" in statement else None)
    at = both.kept[-1].recorded_at if both.kept else datetime.min.replace(tzinfo=UTC)
    for one in both.told:
        at = max(at, one.recorded_at)
        names = (one.type, one.type_version, one.data, one.metadata, one.traceparent, one.occurred_at, at)
        await conn.execute(_INSERT, [both.kind.aggregate.stream_type, both.stream, one.version, one.id, *names])


async def _append(
    conn: psycopg.AsyncConnection[Any], both: _Histories, append: AppendSql, change: Change[Any, Any], *, after: int
) -> None:
    """What an append writes beside its events, from the state before to the one after."""
    first = both.told[0]
    params: dict[str, Any] = dict.fromkeys(("text_id", "author_id", "text", "link"))
    params |= both.kind.aggregate.parameters(change)
    if "most_unpaid" in params:  # it was allowed once
        waits = isinstance(change.after, AwaitingPayment)
        params |= {"most_unpaid": 2**31 - 1, "page_at": change.context.at if waits else None}
    await append.run(
        conn,
        stream_type=both.kind.aggregate.stream_type,
        stream_id=both.stream,
        expected=after,
        events=change.events[-1:],
        cause=change.context.cause,
        occurred_at=change.context.at,
        params=params,
    )
    if both.kind.topic is SESSIONS and first.version == 1:  # the statement took its own time for the request's
        asked = [first.occurred_at, both.stream]
        await conn.execute("UPDATE feedback_session SET requested_at = %s WHERE id = %s", asked)


async def _ended(conn: psycopg.AsyncConnection[Any], both: _Histories) -> bool:
    """Bring a session back and end it in one step: what it held is somebody else's now. False where it can't end."""
    aggregate, at, state = both.kind.aggregate, datetime.now(UTC), both.as_told()
    if both.kind.topic is not SESSIONS:
        return False
    ended = aggregate.decide(Fail(Actor("admin", OPERATOR), at, "technical"), state)
    if not isinstance(ended, Sequence):
        return False
    for event in ended:
        state = aggregate.evolve(state, event, at)
    change = Change(None, both.as_stored(), ended, state, _context(at, actor=f"admin:{OPERATOR}"))
    async with conn.transaction():
        await _tell_as_the_topic(conn, both)
        await _append(conn, both, aggregate.append, change, after=both.told[-1].version)
    return True


def _context(at: datetime, actor: str = "system") -> CommandContext:
    return CommandContext(Cause(actor, str(uuid4())), at)


def _as_data(one: Stored) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "version": one.version,
        "type": one.type,
        "type_version": one.type_version,
        "data": one.data,
        "actor": one.actor,
        "occurred_at": one.occurred_at.isoformat(),
        "recorded_at": one.recorded_at.isoformat(),
    }


def _texts(told: Sequence[Told]) -> list[str]:
    """Free text stands apart from its event and is in no topic (E4): what people wrote with these is gone."""
    found: list[str] = []
    for one in told:
        told_of = one.event
        if getattr(told_of, "has_link", False) or getattr(told_of, "has_notes", False):
            found.append(f"the result of {one.type}, version {one.version}")
        elif getattr(told_of, "reason_id", None) is not None:
            found.append(f"the reason of {one.type}, version {one.version}")
    return found
