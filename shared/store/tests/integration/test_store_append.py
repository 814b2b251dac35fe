"""What an append promises, on the real PostgreSQL."""

import psycopg
import pytest
from shared.store.tests.conftest import Connections
from shared.store.tests.sample.session import NINE, Key, Session, append

from booking_contracts.topics import SESSIONS
from booking_store import GuardFailed, IdempotencyTwin, StreamConflict, UniqueConflict, load, load_latest, load_with_key

pytestmark = pytest.mark.servers


async def test_new_stream__events_mark_row_and_record_are_one_commit(conn):
    session, key = Session(), Key()
    appended = await append(conn, session, [session.requested(), session.scheduled()], key=key)

    stored = await load(conn, session.id)
    assert [(s.version, s.id, s.event) for s in stored] == [
        (1, appended.ids[0], session.requested()),
        (2, appended.ids[1], session.scheduled()),
    ]
    assert appended.version == 2
    marks = await (await conn.execute("SELECT topic, key, position FROM outbox ORDER BY id")).fetchall()
    assert marks == [(SESSIONS.name, str(session.id), s.position) for s in stored]
    assert await _one(conn, "SELECT status, version FROM sample_session") == ("scheduled", 2)
    assert await _one(conn, "SELECT count(*) FROM time_claim") == (2,)
    assert await _one(conn, "SELECT key, status, object_id, version FROM idempotency") == (key.key, 201, session.id, 2)


async def test_stored_data__is_the_text_that_the_event_wrote(conn):
    session = Session()
    await append(conn, session, [session.requested()])
    assert (await load(conn, session.id))[0].data == session.requested().to_json()


async def test_one_round_trip__on_an_autocommit_connection(connections: Connections):
    """No BEGIN, no COMMIT, no second statement: every round trip is latency and a lock held for longer."""
    conn = await connections.autocommit()
    session = Session()
    await append(conn, session, [session.requested()])
    sent = _count_executions(conn)
    await append(conn, session.at(1), [session.scheduled()])
    assert sent == [1]


async def test_stale_version__is_a_stream_conflict_and_writes_nothing(conn):
    session = Session()
    await append(conn, session, [session.requested()])
    with pytest.raises(StreamConflict):
        await append(conn, session, [session.requested()])
    assert await _one(conn, "SELECT count(*) FROM events") == (1,)
    assert await _one(conn, "SELECT count(*) FROM outbox") == (1,)


async def test_version_from_the_future__leaves_no_hole(conn):
    """I3: versions are 1..n; a caller that expects a version that isn't there must not make a gap."""
    session = Session()
    await append(conn, session, [session.requested()])
    with pytest.raises(GuardFailed):
        await append(conn, session.at(5), [session.scheduled()])
    assert [s.version for s in await load(conn, session.id)] == [1]


async def test_recorded_at__never_decreases_within_a_stream_when_the_clock_was_set_back(connections: Connections):
    conn, owner = await connections.autocommit(), await connections.owner()
    session = Session()
    await append(conn, session, [session.requested()])
    await owner.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await owner.execute("UPDATE events SET recorded_at = recorded_at + interval '2 hours'")
    await append(conn, session.at(1), [session.scheduled()])
    first, second = await load(conn, session.id)
    assert second.recorded_at >= first.recorded_at


async def test_as_of__is_the_prefix_recorded_by_then(conn):
    session = Session()
    await append(conn, session, [session.requested()])
    await append(conn, session.at(1), [session.scheduled()])
    first, _ = await load(conn, session.id)
    assert [s.version for s in await load(conn, session.id, up_to=first.recorded_at)] == [1]
    assert [s.version for s in await load(conn, session.id, up_to_version=1)] == [1]


async def test_page_of_a_stream__is_its_newest_below_a_version(conn):
    """A page of a history reads no more than it shows."""
    session = Session()
    await append(conn, session, [session.requested(), session.scheduled()])
    await append(conn, session.at(2), [session.scheduled()])
    assert [s.version for s in await load_latest(conn, session.id, limit=2, below=4)] == [3, 2]
    assert [s.version for s in await load_latest(conn, session.id, limit=2, below=2)] == [1]


async def test_twin_of_a_success__is_told_so_and_not_that_it_conflicts(conn):
    """Its stream version and its claims are taken too, by the success itself: the key must speak first."""
    session, key = Session(), Key()
    await append(conn, session, [session.requested(), session.scheduled()], key=key)
    with pytest.raises(IdempotencyTwin):
        await append(conn, session, [session.requested(), session.scheduled()], key=key)


async def test_load_with_key__gives_stream_and_record_in_one_round_trip(conn):
    session, key = Session(), Key()
    assert (await load_with_key(conn, session.id, key)).remembered is None
    await append(conn, session, [session.requested()], key=key)
    loaded = await load_with_key(conn, session.id, key)
    assert loaded.version == 1
    assert loaded.remembered is not None
    assert (loaded.remembered.sha, loaded.remembered.status, loaded.remembered.object_id) == (key.sha, 201, session.id)
    elsewhere = await load_with_key(conn, Session().id, key)
    assert (elsewhere.events, elsewhere.remembered) == ([], loaded.remembered)
    assert (await load_with_key(conn, session.id, None)).remembered is None


async def test_failed_guard__writes_nothing_not_even_the_key(conn):
    session, key = Session(), Key()
    await conn.execute("INSERT INTO entitlement VALUES (%s, 2)", [session.transaction_id])
    with pytest.raises(GuardFailed):
        await append(conn, session, [session.requested()], key=key, guard=1)
    for table in ("events", "outbox", "sample_session", "idempotency"):
        assert await _one(conn, f"SELECT count(*) FROM {table}") == (0,)
    await append(conn, session, [session.requested()], key=key, guard=2)


async def test_own_constraint__is_named_as_the_aggregate_calls_it(conn):
    session = Session()
    await append(conn, session, [session.requested()])
    second = Session(transaction_id=session.transaction_id)
    with pytest.raises(UniqueConflict) as refused:
        await append(conn, second, [second.requested()])
    assert (refused.value.constraint, refused.value.code) == ("sample_session_transaction", "transaction_already_used")


async def test_inside_a_transaction__a_conflict_leaves_it_usable(connections: Connections):
    conn = await connections.transactional()
    session = Session()
    async with conn.transaction():
        await append(conn, session, [session.requested()])
        with pytest.raises(StreamConflict):
            await append(conn, session, [session.requested()])
        await append(conn, session.at(1), [session.scheduled()])
    await conn.rollback()
    assert [s.version for s in await load(conn, session.id)] == [1, 2]


async def test_connection_that_has_not_begun__is_not_committed_by_the_append(connections: Connections):
    conn = await connections.transactional()
    session = Session()
    await append(conn, session, [session.requested()])
    await conn.rollback()
    assert await load(conn, session.id) == []


async def test_reschedule__moves_the_claims_in_place(conn):
    session = Session()
    await append(conn, session, [session.requested(), session.scheduled()])
    later = NINE.replace(hour=12)
    await append(conn, session.at(2), [session.scheduled(later)])
    assert await _one(conn, "SELECT count(*), min(lower(during)) FROM time_claim") == (2, later)
    await append(conn, session.at(3), [session.requested()])  # gives its time up
    assert await _one(conn, "SELECT count(*) FROM time_claim") == (0,)


async def test_prepared_statement__is_one_whatever_is_null(conn):
    """Each parameter has one type: another pattern of nulls must not prepare, and plan, another statement."""
    for session in (Session(), Session()):
        await append(conn, session, [session.requested()])
        await append(conn, session.at(1), [session.scheduled()])
    assert await _one(
        conn, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%INSERT INTO events%%'"
    ) == (1,)


async def _one(conn: psycopg.AsyncConnection, query: str):
    return await (await conn.execute(query.encode())).fetchone()


def _count_executions(conn: psycopg.AsyncConnection) -> list[int]:
    """Counts what goes to the server from now on, by the protocol's trace of messages sent (see pgconn.trace)."""
    counted = [0]
    pgconn = conn.pgconn
    wait = conn.wait

    async def counting(gen, *args, **kwargs):
        counted[0] += 1
        return await wait(gen, *args, **kwargs)

    conn.wait = counting  # type: ignore[method-assign]
    assert pgconn is conn.pgconn
    return counted
