"""The command handler, on the sample session: decided once, appended once, answered the same again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from shared.store.tests.conftest import Connections
from shared.store.tests.sample.session import APPEND, Key, Session

from booking_contracts.event import Event
from booking_store import (
    Aggregate,
    Busy,
    Cause,
    Change,
    CommandContext,
    GuardFailed,
    KeyReused,
    Refused,
    Stale,
    StoreError,
    StreamConflict,
    handle,
    load,
)

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Request:
    """A session on a Transaction, perhaps relying on what its entitlement was."""

    session: Session
    guard: int | None = None


@dataclass(frozen=True)
class Touch:
    """Nothing but one more event; `once`: only if there is none yet."""

    session: Session
    once: bool = False


@dataclass(frozen=True)
class No:
    code: str
    detail: str


def decide(command: Any, version: int) -> Sequence[Event] | No:
    if isinstance(command, Request) and version:
        return No("there_already", "It was requested.")
    return [] if isinstance(command, Touch) and command.once and version else [command.session.requested()]


def parameters(change: Change[Any, int]) -> dict[str, Any]:
    session, guard = change.command.session, getattr(change.command, "guard", None)
    nothing = dict.fromkeys(("starts_at", "ends_at"))
    return {
        **nothing,
        "guard_transaction_id": session.transaction_id if guard is not None else None,
        "guard_version": guard,
        "transaction_id": session.transaction_id,
        "status": "pending_negotiation",
        "holds_time": False,
        "persons": [],
    }


SAMPLE: Aggregate[Any, int] = Aggregate(
    stream_type="session",
    initial=0,
    decide=decide,
    evolve=lambda version, _event, _at: version + 1,
    append=APPEND,
    parameters=parameters,
)


@dataclass(frozen=True)
class Named:
    """If-Match with one version."""

    version: int

    def allow(self, current: int | None) -> bool:
        return current == self.version


def context(key: Key | None = None, conditions: Named | None = None) -> CommandContext:
    return CommandContext(Cause("system", "test"), datetime.now(UTC), key, conditions)


async def versions(conn, session_id: UUID) -> list[int]:
    return [one.version for one in await load(conn, session_id)]


async def test_command__is_decided_on_the_fold_and_appended(conn):
    session = Session()
    first = await handle(conn, SAMPLE, session.id, Request(session), context())
    assert (first.state, first.version, first.changed, first.replay) == (1, 1, True, None)
    second = await handle(conn, SAMPLE, session.id, Touch(session), context())
    assert (second.state, second.version, second.began_at) == (2, 2, first.began_at)
    nothing = await handle(conn, SAMPLE, session.id, Touch(session, once=True), context())
    assert (nothing.version, nothing.changed) == (2, False)
    assert await versions(conn, session.id) == [1, 2]


async def test_refusal__rises_with_the_domains_own_value(conn):
    session = Session()
    await handle(conn, SAMPLE, session.id, Request(session), context())
    with pytest.raises(Refused) as refused:
        await handle(conn, SAMPLE, session.id, Request(session), context())
    assert refused.value.refusal.code == "there_already"


async def test_same_key__is_answered_what_was_decided_the_first_time(conn):
    """Also where the first success is what would refuse the second (I14)."""
    session, key = Session(), Key()
    await handle(conn, SAMPLE, session.id, Request(session), context(key))
    await handle(conn, SAMPLE, session.id, Touch(session), context())
    again = await handle(conn, SAMPLE, session.id, Request(session), context(key, Named(7)))
    assert again.replay is not None
    assert (again.replay.object_id, again.replay.version, again.replay.status, again.changed) == (
        session.id, 1, 201, False,
    )  # fmt: skip
    with pytest.raises(KeyReused):
        await handle(conn, SAMPLE, session.id, Request(session), context(replace(key, sha=b"\x02" * 32)))
    assert await versions(conn, session.id) == [1, 2]


async def test_another_version_than_the_callers__is_stale(conn):
    session = Session()
    with pytest.raises(Stale) as stale:
        await handle(conn, SAMPLE, session.id, Touch(session), context(conditions=Named(1)))
    assert stale.value.current is None
    await handle(conn, SAMPLE, session.id, Touch(session), context())
    with pytest.raises(Stale) as stale:
        await handle(conn, SAMPLE, session.id, Touch(session), context(conditions=Named(2)))
    assert stale.value.current == 1
    assert (await handle(conn, SAMPLE, session.id, Touch(session), context(conditions=Named(1)))).version == 2


async def test_for_whom_it_does_not_exist__not_even_its_version_is_told(conn):
    session = Session()
    await handle(conn, SAMPLE, session.id, Touch(session), context())
    hiding = replace(SAMPLE, hides=lambda *_: No("not_found", "There is no such session."))
    with pytest.raises(Refused):
        await handle(conn, hiding, session.id, Touch(session), context(conditions=Named(9)))


async def test_race_that_is_lost__is_decided_again(connections: Connections):
    conn, rival = await connections.autocommit(), await connections.autocommit()
    session, seen = Session(), []

    async def touch(version: int) -> Touch:
        seen.append(version)
        if len(seen) == 1:
            await handle(rival, SAMPLE, session.id, Touch(session), context())
        return Touch(session)

    done = await handle(conn, SAMPLE, session.id, touch, context())
    assert (seen, done.version) == ([0, 1], 2)


async def test_race_that_is_lost_every_time__ends(connections: Connections):
    conn, rival = await connections.autocommit(), await connections.autocommit()
    session = Session()

    async def touch(_version: int) -> Touch:
        await handle(rival, SAMPLE, session.id, Touch(session), context())
        return Touch(session)

    with pytest.raises(Busy):
        await handle(conn, SAMPLE, session.id, touch, context(), attempts=2)
    assert await versions(conn, session.id) == [1, 2]


async def test_twins_at_once__both_get_the_first_answer(connections: Connections):
    """The loser may meet the key's record, the stream's version or a refusal: it is told the success each time."""
    for _ in range(5):
        session, key = Session(), Key()
        twins = [await connections.autocommit() for _ in range(6)]
        done = await asyncio.gather(
            *(handle(conn, SAMPLE, session.id, Request(session), context(key)) for conn in twins)
        )
        assert sorted(one.changed for one in done) == [False] * 5 + [True]
        assert {one.replay.object_id for one in done if one.replay} == {session.id}


async def test_fact_that_changed__is_what_the_aggregate_says(conn):
    """As usual it is decided again; the domain may know better."""
    session = Session()
    with pytest.raises(Busy):
        await handle(conn, SAMPLE, session.id, Request(session, guard=1), context())

    async def explain(_conn: Any, error: StoreError, change: Change[Any, int]) -> Exception | None:
        assert change.command.guard == 1
        return Refused(No("gone", "It is not there.")) if isinstance(error, GuardFailed) else None

    with pytest.raises(Refused) as refused:
        await handle(conn, replace(SAMPLE, explain=explain), session.id, Request(session, guard=1), context())
    assert refused.value.refusal.code == "gone"
    assert await versions(conn, session.id) == []


async def test_other_conflict__rises_as_it_is(conn):
    """A second session on one Transaction: no rule that this aggregate explains."""
    session = Session()
    await handle(conn, SAMPLE, session.id, Request(session), context())
    with pytest.raises(StoreError) as conflict:
        await handle(conn, SAMPLE, (other := uuid4()), Request(replace(session, id=other)), context())
    assert not isinstance(conflict.value, StreamConflict)
