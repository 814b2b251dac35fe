"""The check on taking the lead: what it finds (F53), and how long it may take."""

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from shared.outbox.tests.conftest import LOCK, PROFILES, TOPICS, Outbox, Running, header, key_of, put_profile, until

from booking_contracts.deadlines import connected
from booking_contracts.topics import PRACTITIONERS, SESSION_STATES, SESSIONS
from booking_outbox import Selection, republish

pytestmark = pytest.mark.servers
PARTITIONS = 24


async def test_event_missing_before_the_last__is_refused(outbox: Outbox, postgres):
    """B's mark before A's, B committed after A, the backup between: the topic's last record is in the store."""
    conn = await outbox.connect()
    await outbox.sessions(conn, 12)
    await _published(outbox)
    by_partition: dict[int, list[UUID]] = defaultdict(list)
    for record in await outbox.records():
        by_partition[record.partition].append(UUID(header(record, "ce_id")))
    missing = next(ids[-2] for ids in by_partition.values() if len(ids) > 1)
    await _forget(outbox, postgres, [missing])
    second = await outbox.start(outbox.relay())
    await until(lambda: _async(second.relay.metrics.refused), why="the second last record was not looked up")


async def test_state_row_older_than_its_topic__is_refused_until_it_has_caught_up(outbox: Outbox, monkeypatch):
    """Consumers would drop the row's next versions as copies. A projector that reads on gets there by itself."""
    monkeypatch.setattr("booking_outbox._relay._REFUSED_SECONDS", 0.1)
    conn = await outbox.connect()
    person = await put_profile(conn, version=7)
    await _published(outbox)
    await conn.execute("UPDATE profile SET version = 3 WHERE id = %s", [person])
    second = await outbox.start(outbox.relay())
    await until(lambda: _async(second.relay.metrics.refused))
    await put_profile(conn, person, version=8, value='{"name":"late"}')
    await outbox.until_empty()
    assert not second.relay.metrics.refused
    assert (await outbox.records(PRACTITIONERS.name))[-1].value == b'{"name":"late"}'


async def test_state_row_missing__is_refused_until_accepted(outbox: Outbox, postgres, monkeypatch):
    monkeypatch.setattr("booking_outbox._relay._REFUSED_SECONDS", 0.1)
    conn = await outbox.connect()
    person = await put_profile(conn)
    await _published(outbox)
    async with await psycopg.AsyncConnection.connect(_admin_url(outbox, postgres), autocommit=True) as admin:
        await admin.execute("DELETE FROM profile WHERE id = %s", [person])
    second = await outbox.start(outbox.relay(topics=[PROFILES]))
    await until(lambda: _async(second.relay.metrics.refused))
    await republish(
        database_url=outbox.url,
        bootstrap=outbox.kafka.bootstrap,
        topics=[PROFILES],
        lock_name=LOCK,
        topic_prefix=outbox.prefix,
        selection=Selection(stream_id=uuid4()),
        accept_topic=True,
    )
    other = await put_profile(conn)
    await outbox.until_empty()
    assert not second.relay.metrics.refused
    assert {key_of(r) for r in await outbox.records(PRACTITIONERS.name)} == {str(person), str(other)}


async def test_erased_row__is_known(outbox: Outbox):
    conn = await outbox.connect()
    person = await put_profile(conn, version=1)
    await put_profile(conn, person, version=2, value=None)
    await _published(outbox)
    second = await outbox.start(outbox.relay())
    await put_profile(conn)
    await outbox.until_empty()
    assert not second.relay.metrics.refused


async def test_many_partitions__the_lead_is_taken_in_under_a_second(outbox: Outbox, monkeypatch):
    """Empty ones, full ones, some whose records were all deleted, some whose last ones are a stranger's: one poll.

    A machine that does other things may be slow once; the fastest of a few must be what is promised.
    """
    outbox.prefix += "wide."
    await _wide_topics(outbox)
    conn = await outbox.connect()
    await outbox.sessions(conn, 200)
    await _published(outbox)
    await _strangers_and_deletions(outbox)
    took: list[float] = []
    while not took or (min(took) >= 1 and len(took) < 6):
        await outbox.sessions(conn, 1)
        began = asyncio.get_running_loop().time()
        running = await outbox.start(outbox.relay())
        await outbox.until_empty()
        took.append(asyncio.get_running_loop().time() - began)
        assert not running.relay.metrics.refused
        await running.stop()
    assert min(took) < 1, took


async def test_session_cut__the_lead_is_back_in_under_a_second(outbox: Outbox):
    conn = await outbox.connect()
    running = await outbox.start(outbox.relay())
    took: list[float] = []
    while not took or (min(took) >= 1 and len(took) < 6):
        await until(lambda: _async(running.relay.metrics.leader))
        await outbox.sessions(conn, 1)
        await outbox.until_empty()
        began = asyncio.get_running_loop().time()
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'relay' AND datname = current_database()"
        )
        await outbox.sessions(conn, 1)
        await outbox.until_empty()
        took.append(asyncio.get_running_loop().time() - began)
    assert min(took) < 1, took


async def test_republished__the_lead_is_back_in_under_a_second(outbox: Outbox):
    conn = await outbox.connect()
    (session,) = await outbox.sessions(conn, 1)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    took: list[float] = []
    while not took or (min(took) >= 1 and len(took) < 6):
        await republish(
            database_url=outbox.url,
            bootstrap=outbox.kafka.bootstrap,
            topics=TOPICS,
            lock_name=LOCK,
            topic_prefix=outbox.prefix,
            selection=Selection(stream_id=session.id),
        )
        began = asyncio.get_running_loop().time()
        await outbox.sessions(conn, 1)
        await outbox.until_empty()
        took.append(asyncio.get_running_loop().time() - began)
    assert min(took) < 1, took


async def _published(outbox: Outbox) -> None:
    first: Running = await outbox.start(outbox.relay())
    await outbox.until_empty()
    await first.stop()


async def _wide_topics(outbox: Outbox) -> None:
    async with _admin(outbox) as admin:
        topics = [NewTopic(outbox.prefix + t.name, PARTITIONS, 1) for t in (SESSIONS, SESSION_STATES, PRACTITIONERS)]
        await admin.create_topics(topics)
        names = {topic.name for topic in topics}
        await until(lambda: _all_there(admin, names))


async def _all_there(admin, names: set[str]) -> bool:
    found = {row["topic"] for row in await admin.describe_topics() if len(row["partitions"]) == PARTITIONS}
    return names <= found


async def _strangers_and_deletions(outbox: Outbox) -> None:
    topic = outbox.prefix + SESSIONS.name
    async with connected(AIOKafkaProducer(bootstrap_servers=outbox.kafka.bootstrap)) as producer:
        for partition in range(0, PARTITIONS, 2):
            for _ in range(20):
                await producer.send_and_wait(topic, b"rubbish", key=b"k", partition=partition)
    async with _admin(outbox) as admin:
        everything = {TopicPartition(topic, p): RecordsToDelete(before_offset=-1) for p in (0, 1, 2, 3)}
        await admin.delete_records(everything)


def _admin(outbox: Outbox) -> AbstractAsyncContextManager[AIOKafkaAdminClient]:
    return connected(AIOKafkaAdminClient(bootstrap_servers=outbox.kafka.bootstrap))


def _admin_url(outbox: Outbox, postgres) -> str:
    return postgres.admin_url.rsplit("/", 1)[0] + "/" + outbox.databases.name


async def _forget(outbox: Outbox, postgres, ids: list[UUID]) -> None:
    """What a restore from an older copy does."""
    async with await psycopg.AsyncConnection.connect(_admin_url(outbox, postgres), autocommit=True) as conn:
        await conn.execute("ALTER TABLE events DISABLE TRIGGER USER")
        await conn.execute("DELETE FROM events WHERE id = ANY(%s)", [ids])
        await conn.execute("ALTER TABLE events ENABLE TRIGGER USER")


async def _async(value):
    return value
