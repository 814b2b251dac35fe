"""Publishing again, and refusing to publish from a store that is older than its topics (F53)."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from shared.outbox.tests.conftest import (
    LOCK,
    PROFILES,
    TOPICS,
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

from booking_contracts.deadlines import connected
from booking_contracts.decode import decode
from booking_contracts.notices import NoticeEvent, RepublishBegan, RepublishEnded, RestoreAccepted
from booking_contracts.records import from_aiokafka
from booking_contracts.topics import NOTICES, PRACTITIONERS, SESSION_STATES, SESSIONS
from booking_outbox import EventTopic, LockBusy, Selection, republish
from booking_outbox._errors import Unpublished
from booking_outbox._lead import Lead
from booking_outbox._publisher import Publisher
from booking_store import Cause

pytestmark = pytest.mark.servers


def _again(outbox: Outbox, **kwargs):
    options = {"topics": [EventTopic(SESSIONS), PROFILES], "lock_name": LOCK, "topic_prefix": outbox.prefix, **kwargs}
    return republish(database_url=outbox.url, bootstrap=outbox.kafka.bootstrap, **options)


async def test_stream__is_sent_again_while_a_relay_runs(outbox: Outbox):
    conn = await outbox.connect()
    session, _ = await outbox.sessions(conn, 2)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    done = await _again(outbox, selection=Selection(stream_id=session.id))
    assert (done.events, done.state_keys) == ({SESSIONS.name: 2}, {})
    await outbox.sessions(conn, 2)
    await outbox.until_empty()  # the relay has the lead again
    records = await outbox.records()
    assert len(records) == 4 + 2 + 4
    versions = [header(r, "ce_sequence") for r in records if key_of(r) == str(session.id)]
    assert versions == ["1", "2", "1", "2"]
    ids = [header(r, "ce_id") for r in records if key_of(r) == str(session.id)]
    assert ids[:2] == ids[2:]


@pytest.mark.parametrize("flags", [None, "00", "01"])
async def test_republish__sends_the_bytes_of_the_append(outbox: Outbox, flags: str | None):
    conn = await outbox.connect()
    trace = flags and f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"
    causes = [Cause("system", 'corr "é"\\', None, trace), Cause(f"admin:{uuid4()}", "corr", "cause", trace)]
    for cause in causes:
        session = Session()
        await append(conn, session, [session.requested(), session.requested()], cause=cause)
    stored = await (
        await conn.execute("SELECT traceparent, record FROM outbox JOIN events USING (position) ORDER BY outbox.id")
    ).fetchall()
    assert [traceparent for traceparent, _ in stored if traceparent] == [trace] * 4 * (flags == "01")
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert (await _again(outbox)).events == {SESSIONS.name: 4}
    records = await outbox.records()
    assert len(records) == 8
    by_id: dict[str, set[tuple[Any, ...]]] = {}
    for r in records:
        by_id.setdefault(header(r, "ce_id"), set()).add((r.key, r.value, tuple(r.headers)))
    assert [len(spellings) for spellings in by_id.values()] == [1] * 4
    assert len({(header(r, "ce_id"), r.timestamp) for r in records}) == 4, "the time is the store's, also now"
    assert all(("traceparent" in dict(r.headers)) is (flags == "01") for r in records)


async def test_republish__tells_where_the_copies_lie(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 3)
    await put_profile(conn)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    before = {(r.partition, r.offset) for r in await outbox.records()}
    await _again(outbox)
    copies = {(r.partition, r.offset) for r in await outbox.records()} - before
    told = await _notices(outbox)
    assert [(type(one), one.topic) for one in told] == [
        (RepublishBegan, SESSIONS.name),
        (RepublishEnded, SESSIONS.name),
        (RepublishBegan, PRACTITIONERS.name),
        (RepublishEnded, PRACTITIONERS.name),
    ]
    began, ended, _, rows = told
    assert isinstance(began, RepublishBegan)
    assert isinstance(ended, RepublishEnded)
    assert isinstance(rows, RepublishEnded)
    assert began.whole
    assert began.notice_id == ended.notice_id != rows.notice_id
    assert began.topic_id == ended.topic_id != rows.topic_id
    assert (ended.records, rows.records, rows.stretches) == (6, 1, ())
    assert {(one.partition, at) for one in ended.stretches for at in range(one.first, one.last + 1)} == copies


async def test_states__go_with_the_events_of_their_streams(outbox: Outbox):
    """Of one stream, of a range, of a time: whoever lacks the events of a stream lacks its row."""
    conn = await outbox.connect()
    early = await outbox.sessions(conn, 3)
    await put_profile(conn)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    (since,) = await (await conn.execute("SELECT clock_timestamp()")).fetchone() or (None,)
    (late,) = await outbox.sessions(conn, 1)
    await outbox.until_empty()
    ids = sorted(one.id for one in (*early, late))
    asked = [Selection(stream_id=ids[0]), Selection(first_key=ids[1], last_key=ids[2]), Selection(since=since)]
    meant = [{ids[0]}, {ids[1], ids[2]}, {late.id}]
    for selection, streams in zip(asked, meant, strict=True):
        before = Counter(key_of(r) for r in await outbox.records(SESSION_STATES.name))
        done = await _again(outbox, topics=TOPICS, selection=selection)
        assert done.state_keys == {SESSION_STATES.name: len(streams)}
        await outbox.until_empty()
        after = Counter(key_of(r) for r in await outbox.records(SESSION_STATES.name))
        assert after - before == {str(one): 1 for one in streams}
    told = [(type(one), one.topic) for one in await _notices(outbox)]
    assert (
        told
        == [(kind, topic.name) for topic in (SESSIONS, SESSION_STATES) for kind in (RepublishBegan, RepublishEnded)] * 3
    )
    assert_states(await outbox.records(SESSION_STATES.name), await outbox.records())


async def test_states__stay_where_only_the_events_topic_is_named(outbox: Outbox):
    conn = await outbox.connect()
    session, _ = await outbox.sessions(conn, 2)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    done = await _again(outbox, topics=TOPICS, selection=Selection(stream_id=session.id), only=[SESSIONS.name])
    assert (done.events, done.state_keys) == ({SESSIONS.name: 2}, {})
    done = await _again(outbox, topics=TOPICS, selection=Selection(stream_id=uuid4()))
    assert (done.events, done.state_keys) == ({SESSIONS.name: 0}, {}), "nothing of nobody's"


async def test_republish_of_nothing__is_no_notice_and_of_a_part_one_that_says_so(outbox: Outbox):
    conn = await outbox.connect()
    session, _ = await outbox.sessions(conn, 2)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    await _again(outbox, selection=Selection(stream_id=uuid4()))
    assert await _notices(outbox) == []
    await _again(outbox, selection=Selection(stream_id=session.id))
    began, ended = await _notices(outbox)
    assert isinstance(began, RepublishBegan)
    assert isinstance(ended, RepublishEnded)
    assert (began.whole, ended.records) == (False, 2)


async def test_republish_that_breaks_off__has_begun_and_not_ended(outbox: Outbox, monkeypatch):
    conn = await outbox.connect()
    await outbox.sessions(conn, 2)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    outbox_send = Publisher.send

    async def refused(publisher: Publisher, topic: str, partition: int, batch: Any) -> int:
        if topic.endswith(SESSIONS.name):
            raise Unpublished("the disk is full")
        return await outbox_send(publisher, topic, partition, batch)

    monkeypatch.setattr("booking_outbox._sender._TRIES", 1)
    monkeypatch.setattr(Publisher, "send", refused)
    with pytest.raises(Unpublished):
        await _again(outbox, selection=Selection(since=datetime(2000, 1, 1, tzinfo=UTC)))
    assert [type(one) for one in await _notices(outbox)] == [RepublishBegan]


async def _notices(outbox: Outbox) -> list[NoticeEvent]:
    """Each as a reader gets it, in order."""
    found = [decode(from_aiokafka(record, outbox.prefix)).event for record in await outbox.records(NOTICES.name)]
    return [event for event in found if isinstance(event, NoticeEvent)]


async def test_time_range__is_what_was_recorded_in_it(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 2)
    (since,) = await (await conn.execute("SELECT clock_timestamp()")).fetchone() or (None,)
    await outbox.sessions(conn, 3)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert (await _again(outbox, selection=Selection(since=since))).events == {SESSIONS.name: 6}
    assert (await _again(outbox, selection=Selection(until=since))).events == {SESSIONS.name: 4}
    assert (await _again(outbox, selection=Selection(since=datetime.now(UTC)))).events == {SESSIONS.name: 0}


async def test_everything__also_the_current_state_rows(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 3)
    person, erased = await put_profile(conn, version=4), await put_profile(conn, version=2, value=None)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    done = await _again(outbox)
    assert (done.events, done.state_keys) == ({SESSIONS.name: 6}, {PRACTITIONERS.name: 2})
    await outbox.until_empty()
    states = await outbox.records(PRACTITIONERS.name)
    assert sorted(UUID(key_of(r)) for r in states) == sorted([person, erased] * 2)
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_range_of_keys__both_ends_are_meant_and_rows_of_a_named_topic(outbox: Outbox):
    conn = await outbox.connect()
    sessions = sorted(await outbox.sessions(conn, 5), key=lambda one: one.id)
    people = sorted([await put_profile(conn) for _ in range(4)])
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    seen: list[tuple[str, int]] = []
    events = Selection(first_key=sessions[1].id, last_key=sessions[3].id)
    done = await _again(outbox, selection=events, progress=lambda *told: seen.append(told))
    assert (done.events, done.state_keys) == ({SESSIONS.name: 6}, {}), "rows are not meant unless their topic is"
    assert seen == [(SESSIONS.name, 6)]
    rows = Selection(first_key=people[1], last_key=people[2])
    done = await _again(outbox, selection=rows, only=[PRACTITIONERS.name])
    assert (done.events, done.state_keys) == ({}, {PRACTITIONERS.name: 2})
    await outbox.until_empty()
    keys = Counter(key_of(r) for r in await outbox.records(PRACTITIONERS.name))
    assert keys == {str(one): 2 if one in people[1:3] else 1 for one in people}


async def test_unpublished_events__are_left_to_the_relay(outbox: Outbox):
    """A transaction commits version 1 between two pages: sending version 2 from the next page would pass it."""
    conn = await outbox.connect()
    session = Session()
    await append(conn, session, [session.requested()])
    assert (await _again(outbox)).events == {SESSIONS.name: 0}
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert (await _again(outbox)).events == {SESSIONS.name: 1}


async def test_lock_that_nobody_gives_up__is_an_answer_in_time(outbox: Outbox):
    holder = await Lead.open(outbox.url, LOCK)
    assert await holder.try_lock()
    with pytest.raises(LockBusy):
        await _again(outbox, wait=0.2)
    await holder.release()


async def test_restored_store__refuses_to_publish_until_the_topic_is_accepted(outbox: Outbox, postgres):
    conn = await outbox.connect()
    await outbox.sessions(conn, 4)
    first = await outbox.start(outbox.relay())
    await outbox.until_empty()
    await first.stop()
    kept = (await outbox.event_ids())[:3]
    await _forget_all_but(outbox, postgres, kept)
    new = Session()
    await append(conn, new, [new.requested()])

    running = await outbox.start(outbox.relay())
    await until(lambda: _async(running.relay.metrics.refused))
    assert running.relay.progress().waiting_for == "operator"
    assert running.relay.progress().alive(), "a restart would not help"
    assert str(new.id) not in firsts(await outbox.records())

    ends = {r.partition: r.offset for r in await outbox.records()}
    await _again(outbox, topics=TOPICS, accept_topic=True, selection=Selection(stream_id=new.id))
    told = [one for one in await _notices(outbox) if isinstance(one, RestoreAccepted)]
    assert [one.topic for one in told] == [SESSIONS.name, SESSION_STATES.name, PRACTITIONERS.name]
    assert {one.partition: (one.first, one.last) for one in told[0].stretches} == {
        p: (0, end) for p, end in ends.items()
    }
    await running.stop()
    again = await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert str(new.id) in firsts(await outbox.records())
    await again.stop()
    third = await outbox.start(outbox.relay())  # what was accepted stays accepted, what was published since is known
    await until(lambda: _async(third.relay.metrics.leader))
    await outbox.sessions(conn, 2)
    await outbox.until_empty()
    assert not third.relay.metrics.refused


async def test_strangers_records_at_the_end__do_not_count(outbox: Outbox, postgres):
    """Rubbish, and well-formed records of another source: the check looks back to the last one of ours."""
    conn = await outbox.connect()
    await outbox.sessions(conn, 12)
    first = await outbox.start(outbox.relay())
    await outbox.until_empty()
    await first.stop()
    changed = {"ce_source": b"/elsewhere", "ce_id": str(uuid4()).encode()}
    foreign = [(name, changed.get(name, value)) for name, value in (await outbox.records())[0].headers]
    topic = outbox.prefix + SESSIONS.name
    async with connected(AIOKafkaProducer(bootstrap_servers=outbox.kafka.bootstrap)) as producer:
        for partition in range(6):
            for i in range(15):
                headers = foreign if i % 2 else [("ce_id", b"\xff")]
                await producer.send_and_wait(topic, b"rubbish", key=b"k", partition=partition, headers=headers)
    second = await outbox.start(outbox.relay())
    await outbox.sessions(conn, 2)
    await outbox.until_empty()
    assert not second.relay.metrics.refused
    await second.stop()

    await _forget_all_but(outbox, postgres, [])
    third = await outbox.start(outbox.relay())
    await until(lambda: _async(third.relay.metrics.refused))


async def _forget_all_but(outbox: Outbox, postgres, ids: list[UUID]) -> None:
    """What a restore from an older copy does."""
    admin = postgres.admin_url.rsplit("/", 1)[0] + "/" + outbox.databases.name
    async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as conn:
        await conn.execute("ALTER TABLE events DISABLE TRIGGER USER")
        await conn.execute("DELETE FROM events WHERE id <> ALL(%s)", [ids or [uuid4()]])
        await conn.execute("ALTER TABLE events ENABLE TRIGGER USER")


async def _async(value):
    return value


def test_selection__of_nothing_is_everything():
    assert Selection().everything
    assert not Selection(stream_id=uuid4()).everything
    assert asyncio.iscoroutinefunction(republish)
