"""The relay's promise while nothing fails: everything, in order, byte for byte."""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from shared.outbox.tests.conftest import (
    EVENTS,
    Outbox,
    assert_published,
    assert_states,
    firsts,
    header,
    key_of,
    put_profile,
    until,
)
from shared.store.tests.sample.session import Session, append

from booking_contracts.decode import Record, decode
from booking_contracts.ids import partition_of, state_id
from booking_contracts.topics import PRACTITIONERS, SESSION_STATES, SESSIONS
from booking_outbox import Relay, Waker
from booking_outbox._encoding import Batch, Outgoing
from booking_outbox._errors import Unpublished
from booking_outbox._publisher import MAX_BATCH_BYTES, Publisher
from booking_outbox._reading import settle

pytestmark = pytest.mark.servers


async def test_committed_events__are_published_once_in_version_order(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 30)
    running = await outbox.start(outbox.relay())
    await outbox.until_empty()
    await outbox.sessions(conn, 30)
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    assert len(records) == 120
    assert running.relay.metrics.published[SESSIONS.name] == 120
    assert all(record.partition == partition_of(record.key, 6) for record in records)


async def test_mark_without_its_record__is_sent_from_the_event_byte_for_byte(outbox: Outbox):
    """Also what any JSON library would write in another way: digits, spaces, escapes."""
    conn = await outbox.connect()
    session = Session()
    await append(conn, session, [session.requested()])
    odd = '{ "amount" : 1.50000000000000000001e2 , "name":"\\u00e9é\\u0000", "b":1, "a":2, "a":3 }'
    await conn.execute(
        """
        WITH e AS (
            INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata,
                                traceparent, occurred_at, recorded_at)
            SELECT stream_type, stream_id, 2, gen_random_uuid(), type, 1, %s,
                   '{"actor":"system","correlation_id":"corr","causation_id":"cause"}',
                   '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '2026-12-01 09:00:00.25+07', now()
            FROM events RETURNING position, stream_id)
        INSERT INTO outbox (topic, key, position) SELECT %s, stream_id, position FROM e
        """,
        [odd, SESSIONS.name],
    )
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    first, second = await outbox.records()
    assert first.value == session.requested().to_json().encode()
    assert second.value == odd.encode()
    assert header(second, "ce_time") == "2026-12-01T02:00:00.25Z"
    assert header(second, "ce_metadata") == '{"actor":"system","correlation_id":"corr","causation_id":"cause"}'
    assert header(second, "traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_record__is_what_the_contracts_decode(outbox: Outbox):
    conn = await outbox.connect()
    session = Session()
    appended = await append(conn, session, [session.requested()])
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    (record,) = await outbox.records()
    headers = tuple(record.headers)
    decoded = decode(
        Record(SESSIONS.name, record.partition, record.offset, record.key, record.value, headers, record.timestamp)
    )
    assert decoded.event == session.requested()
    assert decoded.meta.id == appended.ids[0]
    assert tuple(decoded.meta.headers()) == headers


async def test_state_row__is_sent_as_it_is_when_the_relay_comes_to_it(outbox: Outbox):
    conn = await outbox.connect()
    person = await put_profile(conn, version=1)
    await put_profile(conn, person, version=2, value='{"name":"b"}')
    erased = await put_profile(conn, version=3, value=None)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    records = {UUID(key_of(r)): r for r in await outbox.records(PRACTITIONERS.name)}
    assert len(records) == 2
    assert records[person].value == b'{"name":"b"}'
    assert header(records[person], "ce_sequence") == "2"
    assert header(records[person], "ce_id") == str(state_id(PRACTITIONERS.name, str(person), 2))
    assert records[erased].value is None
    assert header(records[erased], "ce_sequence") == "3"


async def test_events__leave_a_mark_of_their_stream_when_they_are_acknowledged(outbox: Outbox):
    """The row as it is then, once for all events of a stream that went together; nobody marked it at the append."""
    conn = await outbox.connect()
    made = await outbox.sessions(conn, 20)
    marked = await (await conn.execute("SELECT DISTINCT topic FROM outbox")).fetchall()
    assert marked == [(SESSIONS.name,)]
    running = await outbox.start(outbox.relay())
    await outbox.until_empty()
    states = await outbox.records(SESSION_STATES.name)
    assert_states(states, await outbox.records())
    assert len(states) == len(made)
    await append(conn, made[0].at(2), [made[0].requested()])
    await outbox.until_empty()
    assert_states(await outbox.records(SESSION_STATES.name), await outbox.records())
    await running.stop()


async def test_events_that_kafka_does_not_take__leave_no_mark_yet(outbox: Outbox, monkeypatch):
    """A row never waits in a topic before the events that made it are in theirs."""
    send = Publisher.send

    async def refused(self, topic, partition, batch):
        if topic.endswith(SESSIONS.name):
            raise Unpublished("not now")
        await send(self, topic, partition, batch)

    monkeypatch.setattr(Publisher, "send", refused)
    conn = await outbox.connect()
    await outbox.sessions(conn, 3)
    running = await outbox.start(outbox.relay())
    failed = running.relay.metrics.failed_batches
    await until(lambda: _true(failed[SESSIONS.name] > 1), why="nothing was tried")
    assert await (await conn.execute("SELECT DISTINCT topic FROM outbox")).fetchall() == [(SESSIONS.name,)]
    monkeypatch.setattr(Publisher, "send", send)
    await outbox.until_empty()
    assert_states(await outbox.records(SESSION_STATES.name), await outbox.records())


async def _true(condition: bool) -> bool:
    return condition


def test_relay__knows_the_rows_that_its_events_mark():
    """Marks that nobody sends would wait for ever."""
    with pytest.raises(ValueError, match="nobody sends booking"):
        Relay(database_url="postgresql://nowhere", bootstrap="nowhere:1", topics=[EVENTS], lock_name="x")


async def test_marked_key_without_row__does_not_block_the_topic(outbox: Outbox):
    conn = await outbox.connect()
    await conn.execute("INSERT INTO outbox (topic, key) VALUES (%s, 'nobody')", [PRACTITIONERS.name])
    person = await put_profile(conn)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert [key_of(r) for r in await outbox.records(PRACTITIONERS.name)] == [str(person)]


async def test_slow_transaction__is_not_passed_for_ever(outbox: Outbox):
    """F25: A takes its position first and commits last; a relay reading `position > last` loses A's event."""
    slow, conn = await outbox.connect(autocommit=False), await outbox.connect()
    await outbox.start(outbox.relay())
    late = Session()
    await append(slow, late, [late.requested()])
    await outbox.sessions(conn, 5)
    await outbox.until_empty()
    assert len(await outbox.records()) == 10
    await slow.commit()
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    assert str(late.id) in firsts(records)


async def test_rolled_back_transaction__leaves_no_stall(outbox: Outbox):
    """F25's variant: the hole in the sequence is never filled, and nobody waits for it."""
    slow, conn = await outbox.connect(autocommit=False), await outbox.connect()
    await outbox.start(outbox.relay())
    lost = Session()
    await append(slow, lost, [lost.requested()])
    await outbox.sessions(conn, 5)
    await slow.rollback()
    await outbox.sessions(conn, 5)
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    assert str(lost.id) not in firsts(records)


async def test_idle_transaction__does_not_hold_the_relay(outbox: Outbox):
    """F26: a cursor below the snapshot's horizon would wait for it."""
    idle, conn = await outbox.connect(autocommit=False), await outbox.connect()
    await idle.execute("SELECT pg_current_xact_id()")
    await outbox.start(outbox.relay())
    await outbox.sessions(conn, 5)
    await outbox.until_empty()
    assert len(await outbox.records()) == 10


async def test_mark_that_commits_while_a_batch_is_in_flight__is_not_deleted_with_it(outbox: Outbox, monkeypatch):
    """Deleting a range would: its id lies among theirs. It commits between acknowledgement and deletion."""
    conn, slow = await outbox.connect(), await outbox.connect(autocommit=False)
    await outbox.sessions(conn, 3)
    late = Session()
    await append(slow, late, [late.requested()])
    row = await (await slow.execute("SELECT max(id) FROM outbox")).fetchone()
    assert row is not None
    await outbox.sessions(conn, 3)
    committed = asyncio.Event()

    async def settle_after_the_commit(conn, topic, marks, states):
        if not committed.is_set() and max(int(mark) for mark in marks) > row[0]:
            await slow.commit()
            committed.set()
        await settle(conn, topic, marks, states)

    monkeypatch.setattr("booking_outbox._term.settle", settle_after_the_commit)
    await outbox.start(outbox.relay())
    await asyncio.wait_for(committed.wait(), 60)
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_poke__publishes_without_waiting_for_a_poll(outbox: Outbox, monkeypatch):
    """It polls once in an hour here, and looks around each half minute: sooner comes only what it has word of."""
    monkeypatch.setattr("booking_outbox._term._FIRST_POLL", 3600.0)
    monkeypatch.setattr("booking_outbox._term._LONGEST_POLL", 3600.0)
    waker = Waker(outbox.url)
    await waker.start()
    running = await outbox.start(outbox.relay())  # not attached: woken by NOTIFY alone
    conn = await outbox.connect()
    try:
        await until(lambda: _listening(conn), why="nobody listens")
        for _ in range(5):
            await _until_idle(running)
            await outbox.sessions(conn, 1)
            waker.poke()
            await outbox.until_empty(15)
    finally:
        await waker.close()


async def test_stop__is_graceful_and_gives_the_lock_back(outbox: Outbox, monkeypatch):
    """What Kafka has taken is waited for, and its marks deleted: here it answers only after the stop was asked for."""
    send, taken, answer = Publisher.send, asyncio.Event(), asyncio.Event()

    async def answered_late(self, topic, partition, batch):
        await send(self, topic, partition, batch)
        taken.set()
        await answer.wait()

    monkeypatch.setattr(Publisher, "send", answered_late)
    conn = await outbox.connect()
    await outbox.sessions(conn, 50)
    running = await outbox.start(outbox.relay())
    await asyncio.wait_for(taken.wait(), 60)
    stopped = asyncio.create_task(running.stop())
    await until(lambda: _async(running.stopping.is_set()))
    answer.set()
    assert await stopped < 15, "its grace"
    locks = await (await conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).fetchone()
    assert locks == (0,)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    assert len(records) == 100, "a graceful hand-over sends nothing twice"


async def test_record_time__is_when_the_store_committed_to_it_and_never_later_than_now(outbox: Outbox):
    """Whoever reads sees it, however long the mark waited; a state row's is when it was sent."""
    conn = await outbox.connect()
    waited, ahead = await outbox.sessions(conn, 2)
    person = await put_profile(conn)
    update = "UPDATE outbox SET created_at = created_at + %s WHERE key = %s"
    async with await psycopg.AsyncConnection.connect(outbox.databases.owner_url, autocommit=True) as owner:
        await owner.execute(update, [timedelta(hours=-1), str(waited.id)])
        await owner.execute(update, [timedelta(hours=2), str(ahead.id)])
    stored = await (await conn.execute("SELECT key, created_at FROM outbox")).fetchall()
    committed = {key: int(at.timestamp() * 1_000_000) // 1000 for key, at in stored}
    before = time.time() * 1000
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    after = time.time() * 1000
    times: dict[str, set[int]] = {}
    for record in await outbox.records():
        times.setdefault(key_of(record), set()).add(record.timestamp)
    assert times[str(waited.id)] == {committed[str(waited.id)]}
    assert all(before - 1 <= at <= after for at in times[str(ahead.id)])
    (state,) = await outbox.records(PRACTITIONERS.name)
    assert key_of(state) == str(person)
    assert before - 1 <= state.timestamp <= after


@pytest.mark.parametrize("days", [-30_000, -400, 2, 4_000])
async def test_clock_far_off__stops_no_event(outbox: Outbox, days: int):
    """F60: of the relay's machine too. A broker refuses by default what is an hour ahead of its own clock."""
    at = int(time.time() * 1000) + days * 86_400_000 if days > -30_000 else 0
    publisher = await Publisher.start(outbox.kafka.bootstrap)
    batch = Batch(MAX_BATCH_BYTES, "zstd")
    assert batch.fill([Outgoing(b"1", b"\x02k\x02v\x00", at)], 0, at) == 1
    try:
        await publisher.send(outbox.prefix + SESSIONS.name, 0, batch)
    finally:
        await publisher.stop()
    (record,) = await outbox.records()
    assert (record.key, record.value, record.timestamp) == (b"k", b"v", at)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_compressed__records_are_read_as_they_were_written(outbox: Outbox, compression):
    """On the broker they are really packed; the same bytes come out, of events, state rows and tombstones."""
    conn = await outbox.connect()
    await outbox.sessions(conn, 30)
    person, erased = await put_profile(conn), await put_profile(conn, version=3, value=None)
    await outbox.start(outbox.relay(kafka_options={"compression_type": compression}))
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    stored = await (await conn.execute("SELECT id::text, data::text FROM events")).fetchall()
    assert {header(r, "ce_id"): (r.value or b"").decode() for r in records} == dict(stored)
    states = {key_of(r): r.value for r in await outbox.records(PRACTITIONERS.name)}
    assert states == {str(person): b'{"name":"a"}', str(erased): None}


async def test_lag__is_seen_by_metrics_and_progress(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 5)
    relay = outbox.relay(bootstrap="127.0.0.1:1")
    await outbox.start(relay)
    await until(lambda: _async(relay.metrics.lag_events.get(SESSIONS.name) == 10))
    await until(lambda: _async(relay.progress().waiting_for == "kafka"))
    samples = {(s.name, *s.labels.values()): s.value for family in relay.metrics.collect() for s in family.samples}
    assert samples["booking_relay_lag_events", SESSIONS.name] == 10
    assert samples["booking_relay_leader",] == 1
    assert relay.progress().backlog == 10


async def _listening(conn) -> bool:
    row = await (
        await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relay-listen'"
            " AND datname = current_database() AND query = 'LISTEN outbox' AND state = 'idle'"
        )
    ).fetchone()
    return row[0] > 0


async def _until_idle(running) -> None:
    """Until the relay polls once a second only."""
    await until(lambda: _async(running.relay._term is not None and running.relay._term._poll >= 1.0))


async def _async(value):
    return value
