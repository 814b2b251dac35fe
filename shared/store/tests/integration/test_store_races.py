"""Commands that race, on connections of their own."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from shared.store.tests.conftest import Connections
from shared.store.tests.sample.session import NINE, Key, Session, append

from booking_store import GuardFailed, IdempotencyTwin, Overlap, StoreError, StreamConflict, load

pytestmark = pytest.mark.servers
CLIENTS = 8


async def _race(connections: Connections, commands) -> Counter:
    """Runs each command on its own connection at once; counts outcomes by name."""
    conns = [await connections.autocommit() for _ in commands]
    outcomes = await asyncio.gather(*(c(conn) for c, conn in zip(commands, conns, strict=True)), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, StoreError):
            raise outcome
    return Counter(type(o).__name__ for o in outcomes)


async def test_one_stream__one_of_many_appends_wins(connections: Connections):
    session = Session()
    for version in range(5):
        event = session.requested()
        outcomes = await _race(connections, [lambda c, v=version, e=event: append(c, session.at(v), [e])] * CLIENTS)
        assert outcomes == {"Appended": 1, "StreamConflict": CLIENTS - 1}
    conn = await connections.autocommit()
    assert [s.version for s in await load(conn, session.id)] == [1, 2, 3, 4, 5]


async def test_one_key__every_twin_is_told_of_the_success(connections: Connections):
    for _ in range(5):
        session, key = Session(), Key()
        events = [session.requested(), session.scheduled()]
        outcomes = await _race(connections, [lambda c, s=session, e=events, k=key: append(c, s, e, key=k)] * CLIENTS)
        assert outcomes == {"Appended": 1, "IdempotencyTwin": CLIENTS - 1}


async def test_one_person__two_sessions_never_hold_one_time(connections: Connections):
    """K33: without the lock per person inserters deadlock, again and again; a loser must hear of the overlap only."""
    for round_ in range(10):
        practitioner, member = uuid4(), uuid4()
        start = NINE + timedelta(days=round_)
        sessions = [Session(practitioner=practitioner, member=member if i % 2 else uuid4()) for i in range(CLIENTS)]
        commands = [
            lambda c, s=s, at=start + timedelta(minutes=i): append(c, s, [s.requested(), s.scheduled(at)])
            for i, s in enumerate(sessions)
        ]
        assert await _race(connections, commands) == {"Appended": 1, "Overlap": CLIENTS - 1}


async def test_overlap__names_the_person(conn):
    first = Session()
    await append(conn, first, [first.requested(), first.scheduled()])
    second = Session(practitioner=first.member)  # the same person in another role
    with pytest.raises(Overlap) as refused:
        await append(conn, second, [second.requested(), second.scheduled(NINE + timedelta(minutes=59))])
    assert refused.value.person_ids == (first.member,)
    await append(
        conn, second, [second.requested(), second.scheduled(NINE + timedelta(minutes=60))]
    )  # [): touching is free


async def test_deadlock__is_run_again(connections: Connections):
    """The append waits for a row of ours, we then wait for one of its: PostgreSQL ends its wait, and
    it simply runs again (K33)."""
    other, appending = await connections.transactional(), await connections.autocommit()
    conn = await connections.autocommit()
    session = Session()
    await conn.execute("INSERT INTO entitlement VALUES (%s, 1)", [session.transaction_id])
    async with other.transaction():
        # The append takes its transaction's place in the partial unique index, then waits for this claim.
        await other.execute(
            "INSERT INTO time_claim VALUES (%s, %s, tstzrange(%s, %s))",
            [Session().id, session.member, NINE, NINE + timedelta(hours=1)],
        )
        running = asyncio.create_task(append(appending, session, [session.requested(), session.scheduled()], guard=1))
        await _until_blocked(conn, appending.info.backend_pid)
        # It has waited for longer, so it looks for the deadlock first and is the victim.
        await other.execute("UPDATE entitlement SET version = 2 WHERE transaction_id = %s", [session.transaction_id])
    with pytest.raises(GuardFailed):  # run again, it finds the entitlement changed
        await running


async def test_guard__a_refund_that_commits_first_ends_the_request(connections: Connections):
    """Write skew: the request saw version 1, the refund makes it 2 before the request commits."""
    refund, request, conn = (
        await connections.transactional(),
        await connections.autocommit(),
        await connections.autocommit(),
    )
    session = Session()
    await conn.execute("INSERT INTO entitlement VALUES (%s, 1)", [session.transaction_id])
    async with refund.transaction():
        await refund.execute("UPDATE entitlement SET version = 2 WHERE transaction_id = %s", [session.transaction_id])
        waiting = asyncio.create_task(append(request, session, [session.requested()], guard=1))
        await _until_blocked(conn, request.info.backend_pid)
    outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert type(outcome).__name__ == "GuardFailed"


async def test_guard__a_request_that_commits_first_is_seen_by_the_refund(connections: Connections):
    request, refund, conn = (
        await connections.transactional(),
        await connections.autocommit(),
        await connections.autocommit(),
    )
    session = Session()
    await conn.execute("INSERT INTO entitlement VALUES (%s, 1)", [session.transaction_id])
    async with request.transaction():
        await append(request, session, [session.requested()], guard=1)
        change = "UPDATE entitlement SET version = 2 WHERE transaction_id = %s"
        waiting = asyncio.create_task(refund.execute(change, [session.transaction_id]))
        await _until_blocked(conn, refund.info.backend_pid)
    await waiting
    assert await load(refund, session.id)


async def test_twin_whose_first_try_rolls_back__succeeds_itself(connections: Connections):
    first, second, conn = (
        await connections.transactional(),
        await connections.autocommit(),
        await connections.autocommit(),
    )
    session, key = Session(), Key()
    await append(first, session, [session.requested()], key=key)
    waiting = asyncio.create_task(append(second, session, [session.requested()], key=key))
    await _until_blocked(conn, second.info.backend_pid)
    await first.rollback()
    assert (await waiting).version == 1
    with pytest.raises(IdempotencyTwin):
        await append(conn, session, [session.requested()], key=key)
    with pytest.raises(StreamConflict):
        await append(conn, session, [session.requested()], key=Key())


async def _until_blocked(conn, pid: int) -> None:
    async with asyncio.timeout(60):
        while True:
            row = await (await conn.execute("SELECT cardinality(pg_blocking_pids(%s))", [pid])).fetchone()
            if row[0]:
                return
            await asyncio.sleep(0.005)
