"""Kafka or PostgreSQL away, slow or changed under a running consumer (F28, F30, F31, F46, F50, F51, F52, K3)."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from prometheus_client import REGISTRY
from shared.inbox.tests.consumer_rig import (
    QUICK,
    TABLE,
    Rig,
    assessment,
    record_applied,
    rig_of,
    running,
    session_event,
)
from shared.process.tests.proxy import Loss, proxied
from tests.rigs.waiting import until

from booking_contracts.admin import create_topics
from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded
from booking_contracts.ids import partition_of
from booking_contracts.topics import ASSESSMENTS, SESSIONS
from booking_inbox import Consumer, InboxRouter, figures
from booking_inbox.group_lag import GroupLag
from booking_local.servers.kafka import Kafka
from booking_local.servers.postgres import Postgres
from booking_process.database import Database, DatabaseDownError

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


@pytest.fixture
async def own_postgres(server_folder: Path) -> AsyncGenerator[Postgres]:
    """A PostgreSQL that this test may kill."""
    server = Postgres(server_folder / "postgres-of-consumer-outages")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


async def test_nobody_reads__what_waits_for_the_group_is_seen_all_the_same(rig: Rig):
    """A reader's own figures go with it: the alarm for a dead one needs somebody else's."""
    lag = GroupLag(
        "outside", group_id=rig.prefix + rig.name, topics=[SESSIONS.name], bootstrap=rig.bootstrap, prefix=rig.prefix
    )
    watching = asyncio.create_task(lag.run(every=0.2))

    def shown(figure: str) -> float | None:
        return REGISTRY.get_sample_value(f"booking_group_lag_{figure}", {"consumer": "outside", "topic": SESSIONS.name})

    # In the first partition alone: what waits there is not hidden by those after it, where nothing does.
    keys = (key for key in iter(uuid4, None) if partition_of(str(key).encode(), SESSIONS.partitions) == 0)
    try:
        await rig.send(*(session_event(next(keys), 1) for _ in range(5)))
        await until(lambda: shown("events") == 5)
        await until(lambda: (shown("seconds") or 0) > 1)
        async with rig.consuming():
            await until(lambda: shown("events") == 0 and shown("seconds") == 0)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert shown("events") is None, "what nobody counts any more is not shown"


async def test_group_lag__is_counted_on_after_one_bad_answer(rig: Rig, monkeypatch):
    """Ends that lack a partition, say: the figure is not shown for a moment, and must not be gone for good."""
    asked, spoilt = AIOKafkaConsumer.end_offsets, asyncio.Event()
    spoil = asyncio.Event()

    async def ends(client: AIOKafkaConsumer, partitions: Any) -> Any:
        if spoil.is_set() and not spoilt.is_set():
            spoilt.set()
            return {}
        return await asked(client, partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", ends)
    lag = GroupLag(
        "answered", group_id=rig.prefix + rig.name, topics=[SESSIONS.name], bootstrap=rig.bootstrap, prefix=rig.prefix
    )
    watching = asyncio.create_task(lag.run(every=0.2))
    labels = {"consumer": "answered", "topic": SESSIONS.name}
    try:
        await rig.send(*(session_event(uuid4(), 1) for _ in range(5)))
        await until(lambda: REGISTRY.get_sample_value("booking_group_lag_events", labels) == 5)
        spoil.set()
        await until(spoilt.is_set)
        await rig.send(session_event(uuid4(), 1))
        await until(lambda: REGISTRY.get_sample_value("booking_group_lag_events", labels) == 6)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_postgres_killed_and_restarted_while_applying__nothing_is_held_or_lost(rig: Rig, own_postgres: Postgres):
    await asyncio.to_thread(_fill, own_postgres)
    database = Database(own_postgres.admin_url)
    rig.database, shared = database, rig.database
    keys = [uuid4() for _ in range(40)]
    try:
        async with rig.consuming(_slowly, database=database) as consumer:
            await rig.send(*(session_event(key, v) for v in (1, 2, 3) for key in keys))
            await until(lambda: _at_least(rig, 10))
            pid = own_postgres.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)
            await until(lambda: _away(consumer), "waiting for postgres")
            assert consumer.progress().alive(patience=0.0), "a database that is down is no reason to be restarted"
            await asyncio.to_thread(own_postgres.stop)
            await asyncio.to_thread(own_postgres.start)
            await until(rig.caught_up, patience=60)
        for key in keys:
            assert await rig.applied(key) == [1, 2, 3]
        assert await rig.sql("SELECT count(*) FROM held") == [(0,)]
    finally:
        await database.close()
        rig.database = shared


async def test_connections_cut_again_and_again__nothing_is_held_or_applied_twice(rig: Rig, postgres):
    keys = [uuid4() for _ in range(20)]
    await rig.send(*(session_event(key, v) for v in (1, 2, 3) for key in keys))
    async with rig.consuming(_slowly):
        while not await _tolerant(rig.caught_up):
            await asyncio.to_thread(_cut, postgres.admin_url, rig.databases.name)
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3]
    assert await rig.sql("SELECT count(*) FROM held") == [(0,)]


@pytest.mark.parametrize("loss", ["reset", "silence"])
async def test_the_answer_to_a_commit_is_lost__the_record_is_applied_once_and_not_held(rig: Rig, loss: Loss):
    """F9: nobody knows whether the transaction was committed; the version row in it does."""
    key = uuid4()
    async with proxied(rig.databases.app_url) as (proxy, url):
        database = Database(url, transaction_deadline=1.0)
        lost = proxy.lose_answer(b"INSERT INTO applied", b"COMMIT", loss=loss)
        before = figures.RECORDS.labels(rig.name, SESSIONS.name, "duplicate")._value.get()
        try:
            async with rig.consuming(database=database):
                await rig.send(*(session_event(key, version) for version in (1, 2, 3)))
                await until(rig.caught_up)
        finally:
            await database.close()
    assert lost.happened.is_set()
    assert await rig.applied(key) == [1, 2, 3]
    assert await rig.held() == []
    assert figures.RECORDS.labels(rig.name, SESSIONS.name, "duplicate")._value.get() - before == 1


async def test_kafka_down_at_the_start_and_killed_later__recovers_alone(rig: Rig, server_folder: Path):
    broker = Kafka(server_folder / "kafka-of-consumer-outages")
    await asyncio.to_thread(broker.prepare)
    router = InboxRouter()
    router.subscriber(SESSIONS)(record_applied)
    consumer = Consumer(
        "calendar",
        router,
        database=rig.database,
        bootstrap=broker.bootstrap,
        tuning=QUICK,
    )
    keys = [uuid4() for _ in range(5)]
    async with running(consumer):
        await until(lambda: consumer.progress().waiting_for == "kafka")
        await asyncio.to_thread(broker.start)
        try:
            await create_topics(broker.bootstrap, topics=(SESSIONS,))
            await _produce(broker.bootstrap, [session_event(key, 1) for key in keys])
            await until(lambda: _at_least(rig, 5), patience=60)
            pid = broker.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: consumer.progress().waiting_for == "kafka")
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)
            await _produce(broker.bootstrap, [session_event(key, 2) for key in keys])
            await until(lambda: _at_least(rig, 10), patience=60)
        finally:
            await asyncio.to_thread(broker.stop)
    for key in keys:
        assert await rig.applied(key) == [1, 2]


async def test_database_down_at_the_start__waits_and_recovers(rig: Rig, postgres):
    key = uuid4()
    await rig.send(session_event(key, 1))
    _allow_connections(postgres.admin_url, rig.databases.name, allow=False)
    async with rig.consuming() as consumer:
        await until(lambda: _away(consumer), "waiting for postgres")
        _allow_connections(postgres.admin_url, rig.databases.name, allow=True)
        await until(lambda: rig.applied(key))
    assert await rig.held() == []


async def test_an_apply_slower_than_the_poll_interval__keeps_its_membership_and_is_done_once(rig: Rig):
    """Without a sequence a redelivery would be applied again, and again, for ever (K4)."""
    began: list[float] = []

    async def slow(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        began.append(time.monotonic())
        await conn.execute("SELECT pg_sleep(5)")
        await record_applied(conn, item)

    await rig.send(assessment(uuid4()))
    tuning = replace(QUICK, max_poll_interval=1.0, heartbeat_interval=0.3)
    async with rig.consuming(slow, topics=(ASSESSMENTS,), tuning=tuning):
        await until(lambda: rig.caught_up(ASSESSMENTS))
    assert len(began) == 1
    assert await rig.effects() == 1


async def test_a_client_that_falls_silent__is_replaced(rig: Rig):
    before = figures.CLIENTS_REPLACED.labels("calendar")._value.get()
    first, second, third = uuid4(), uuid4(), uuid4()
    await rig.send(session_event(first, 1))
    async with rig.consuming(tuning=replace(QUICK, stall_after=1.0)) as consumer:
        await until(lambda: rig.applied(first))
        # aiokafka's fetcher ends without a word, as in its issue 1154: nothing raises, nothing arrives.
        reader: Any = consumer.engine.reader
        reader.consumer._fetcher._fetch_task.cancel()
        await rig.send(session_event(second, 1))
        await until(lambda: rig.applied(second))
        # FastStream's loop ends without a word, as after ConsumerStoppedError.
        for task in reader._subscriber.tasks:
            task.cancel()
        await rig.send(session_event(third, 1))
        await until(lambda: rig.applied(third))
    assert figures.CLIENTS_REPLACED.labels("calendar")._value.get() >= before + 2


async def test_a_client_that_reads_but_has_lost_its_group__is_replaced(rig: Rig):
    """As after a broker that died of a full disk (F11): aiokafka looks for its coordinator and never ends."""
    first, second = uuid4(), uuid4()
    await rig.send(session_event(first, 1))
    async with rig.consuming(tuning=replace(QUICK, stall_after=1.0, commit_deadline=0.3)) as consumer:
        await until(rig.caught_up)
        reader: Any = consumer.engine.reader
        coordinator = reader.consumer._coordinator
        await coordinator._coordinator_lookup_lock.acquire()
        coordinator.coordinator_dead()
        await rig.send(session_event(second, 1))
        await until(lambda: rig.applied(second))
        await until(rig.caught_up)
        assert reader.consumer._coordinator is not coordinator


async def test_progress__names_its_backlog_and_counts_down_to_none(rig: Rig):
    gate = asyncio.Event()

    async def gated(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        await gate.wait()
        await record_applied(conn, item)

    await rig.send(*(session_event(uuid4(), 1) for _ in range(10)))
    async with rig.consuming(gated) as consumer:
        await until(lambda: consumer.progress().backlog == 10)
        assert not consumer.progress().alive(patience=0.0), "a backlog that does not move is not alive"
        gate.set()
        await until(lambda: consumer.progress().backlog == 0)


async def test_offsets_out_of_range__goes_on_at_the_earliest_and_the_lost_ones_show_as_a_gap(rig: Rig):
    key, other, partition = uuid4(), uuid4(), 0
    await rig.send(*(session_event(key, v).changed(partition=partition) for v in (1, 2)))
    async with rig.consuming():
        await until(rig.caught_up)
    lost = (session_event(key, v).changed(partition=partition) for v in (3, 4))
    await rig.send(*lost, *(session_event(k, v).changed(partition=partition) for k, v in ((key, 5), (other, 1))))
    await _delete_records(rig, partition, before=4)
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2]
    assert await rig.held(key) == [("gap", 5)]
    assert await rig.applied(other) == [1], "what is still there is read, from the earliest, not from the latest"


async def test_topic_recreated__offsets_begin_anew_and_versions_tell_old_from_new(rig: Rig, kafka):
    key = uuid4()
    await rig.send(session_event(key, 1), session_event(key, 2))
    async with rig.consuming():
        await until(rig.caught_up)
    rig.prefix = kafka.prefix()  # to the inbox another prefix is the same topic, with other offsets
    kafka.create_topics(rig.prefix, [SESSIONS.name])
    await rig.send(*(session_event(key, v) for v in (1, 2, 3)))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2, 3]


async def test_topic_gone_for_a_while__is_read_again_soon_after_it_was_made_anew(rig: Rig, kafka):
    """The group shares out what is left; by itself the client asks for topics each 5 minutes only, and shows no lag."""
    keys = [uuid4() for _ in range(6)]
    shown = figures.ASSIGNED.labels(rig.name)._value
    before = shown.get()
    async with rig.consuming(topics=[SESSIONS, ASSESSMENTS]):
        await rig.send(*(session_event(key, 1) for key in keys))
        await until(lambda: shown.get() == before + 12, "both are shared out")
        await until(rig.caught_up)
        await _delete_topic(rig)
        await until(lambda: shown.get() == before + 6, "one is left")
        kafka.create_topics(rig.prefix, [SESSIONS.name])
        await rig.send(*(session_event(key, 2) for key in keys))
        await until(lambda: _at_least(rig, 12), "read again", patience=60)
    for key in keys:
        assert await rig.applied(key) == [1, 2]


async def test_only_topic_gone__no_partition_is_shown_until_it_is_read_again(rig: Rig, kafka):
    """NobodyReads asks for it. Nothing was shared out, and of that topic the ends were asked in vain: the number
    of before stood for ever."""
    keys = [uuid4() for _ in range(6)]
    shown = figures.ASSIGNED.labels(rig.name)._value
    before = shown.get()
    async with rig.consuming() as consumer:
        await until(lambda: shown.get() == before + 6, "all are shared out")
        await _delete_topic(rig)
        await until(lambda: shown.get() == before, "nothing is left", patience=60)
        assert consumer.progress().waiting_for == "kafka", "no reason for a restart"
        kafka.create_topics(rig.prefix, [SESSIONS.name])
        await rig.send(*(session_event(key, 1) for key in keys))
        await until(lambda: _at_least(rig, 6), "read again", patience=60)
        await until(lambda: shown.get() == before + 6, "all are shared out again")


async def test_partitions_raised__versions_keep_the_order_across_the_change(rig: Rig):
    keys = [uuid4() for _ in range(20)]
    await rig.send(*(session_event(key, v) for v in (1, 2) for key in keys))
    await _raise_partitions(rig, 12)
    await rig.send(
        *(session_event(key, v).changed(partition=partition_of(str(key).encode(), 12)) for v in (3, 4) for key in keys)
    )
    async with rig.consuming():
        await until(lambda: _at_least(rig, 80))
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3, 4]
    assert await rig.held() == []


async def test_a_bug_in_one_aggregate__costs_little_and_the_others_flow(rig: Rig):
    key, others = uuid4(), [uuid4() for _ in range(50)]

    async def buggy(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        if item.meta.subject == str(key):
            raise ValueError("bug")
        await record_applied(conn, item)

    await rig.send(session_event(key, 1), *(session_event(other, 1) for other in others))
    slow_tries = replace(QUICK, first_backoff=0.2, backoff_cap=0.5)
    async with rig.consuming(buggy, tuning=slow_tries):
        began, used = time.monotonic(), time.process_time()
        await until(lambda: _at_least(rig, 50))
        await until(lambda: rig.held(key))
        busy = (time.process_time() - used) / (time.monotonic() - began)
    assert await rig.held(key) == [("failed", 1)]
    assert busy < 0.8, "tries are spaced by a backoff, not a hot loop"


async def _slowly(conn: psycopg.AsyncConnection, item: Decoded) -> None:
    await record_applied(conn, item)
    await conn.execute("SELECT pg_sleep(0.01)")


async def _at_least(rig: Rig, effects: int) -> bool:
    return await _tolerant(rig.effects) >= effects


async def _tolerant(ask):
    try:
        return await ask()
    except (psycopg.OperationalError, DatabaseDownError):
        return 0


def _away(consumer: Consumer) -> bool:
    return consumer.progress().waiting_for == "postgres"


def _fill(server: Postgres) -> None:
    from booking_process.migrations import ddl

    with psycopg.connect(server.admin_url, autocommit=True) as conn:
        for text in (ddl("booking_inbox", "inbox_v1"), TABLE):
            conn.execute(text.replace("{app}", "PUBLIC"))  # pyright: ignore[reportArgumentType, reportCallIssue]


def _cut(admin_url: str, database: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid), pg_sleep(0.1) FROM pg_stat_activity WHERE datname = %s", [database]
        )


def _allow_connections(admin_url: str, database: str, *, allow: bool) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS {allow}')  # pyright: ignore[reportArgumentType, reportCallIssue]
        if not allow:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])


async def _produce(bootstrap: str, messages) -> None:
    from aiokafka import AIOKafkaProducer

    async with connected(AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for m in messages:
            await producer.send_and_wait(m.topic.name, key=m.key, value=m.value, headers=m.headers, partition=m.to)


async def _delete_records(rig: Rig, partition: int, *, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
    async with connected(admin):
        where = TopicPartition(rig.prefix + SESSIONS.name, partition)
        await admin.delete_records({where: RecordsToDelete(before_offset=before)})


async def _delete_topic(rig: Rig) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
    async with connected(admin):
        await admin.delete_topics([rig.prefix + SESSIONS.name])


async def _raise_partitions(rig: Rig, count: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
    async with connected(admin):
        await admin.create_partitions({rig.prefix + SESSIONS.name: NewPartitions(total_count=count)})
    await rig.producer.client.force_metadata_update()
    await until(lambda: _partitions(rig, count))


async def _partitions(rig: Rig, count: int) -> bool:
    await rig.producer.client.force_metadata_update()
    return len(await rig.producer.partitions_for(rig.prefix + SESSIONS.name)) == count
