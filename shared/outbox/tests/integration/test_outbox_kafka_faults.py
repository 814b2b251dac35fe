"""Kafka goes away, hangs, or refuses one partition (F1, F6, K1, K2, K9e)."""

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from shared.outbox.tests.conftest import Outbox, assert_published, until
from shared.store.tests.sample.session import Session, append
from tests.plugins.servers import KafkaServer

from booking_contracts.deadlines import connected
from booking_contracts.ids import partition_of
from booking_contracts.topics import PRACTITIONERS, SESSION_STATES, SESSIONS
from booking_local.servers.kafka import Kafka
from booking_outbox import Unpublished
from booking_outbox._publisher import Publisher

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def own_broker(server_folder: Path) -> Iterator[Kafka]:
    """A broker of this module's own, to be killed."""
    broker = Kafka(server_folder / "kafka-to-kill").start()
    yield broker
    broker.stop()


@pytest.fixture
def broker(own_broker: Kafka, outbox: Outbox) -> Kafka:
    """The test's outbox, moved to the broker that may be killed."""
    outbox.kafka = KafkaServer(own_broker)
    outbox.kafka.create_topics(outbox.prefix)
    return own_broker


async def test_broker_killed_and_back__commands_go_on_and_everything_is_published(outbox: Outbox, broker: Kafka):
    conn = await outbox.connect()
    running = await outbox.start(outbox.relay(deadline=2))
    await outbox.sessions(conn, 10)
    await outbox.until_empty()
    os.kill(broker.pid or 0, signal.SIGKILL)
    await outbox.sessions(conn, 20)
    await until(lambda: _waits_for_kafka(running))
    assert running.relay.metrics.leader, "the lead is kept while Kafka is away"
    assert running.relay.progress().alive()
    await asyncio.to_thread(_restart, broker)
    await outbox.sessions(conn, 10)
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_broker_frozen_past_the_deadline__batches_in_doubt_are_sent_again(outbox: Outbox, broker: Kafka):
    """F6: whether the frozen broker has them is unknown; it does, so this gives duplicates and nothing worse."""
    conn = await outbox.connect()
    running = await outbox.start(outbox.relay(deadline=1))
    await outbox.sessions(conn, 5)
    await outbox.until_empty()
    os.kill(broker.pid or 0, signal.SIGSTOP)
    try:
        await outbox.sessions(conn, 10)
        await until(lambda: _async(running.relay.metrics.failed_batches.total() > 0))
    finally:
        os.kill(broker.pid or 0, signal.SIGCONT)
    await outbox.sessions(conn, 10)
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_stop_while_kafka_is_away__ends_in_time(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 5)
    running = await outbox.start(outbox.relay(bootstrap="127.0.0.1:1", deadline=2))
    await until(lambda: _waits_for_kafka(running))
    assert await running.stop() < 15, "its grace"


async def test_refused_partition__holds_back_itself_only(outbox: Outbox):
    """Its marks stay, later versions wait behind them, the other partitions flow, however many marks it piles up."""
    conn = await outbox.connect()
    refused, attempts, send = 3, [], Publisher.send

    async def refusing(self, topic, partition, batch):
        if partition == refused:
            attempts.append(batch.record_count())
            raise Unpublished("not enough in-sync replicas")
        return await send(self, topic, partition, batch)

    Publisher.send = refusing
    try:
        running = await outbox.start(outbox.relay())
        for _ in range(3):
            sessions = await outbox.sessions(conn, 40)
            others = {str(s.id) for s in sessions if partition_of(str(s.id).encode(), 6) != refused}
            await until(lambda keys=others: _marks_gone(conn, keys), why="healthy partitions wait for the refused one")
        await until(lambda: _async(len(attempts) > 1), why="the refused batch is tried again")
        # Pauses grow: a partition that is refused must not take the relay's time, nor the broker's.
        assert len(attempts) < 15
        assert refused not in {record.partition for record in await outbox.records()}
        assert running.relay.metrics.published.total() > 0
    finally:
        Publisher.send = send
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())


async def test_broker_that_answers_and_refuses_writes__is_waited_for_and_seen(outbox: Outbox, caplog):
    """As it does for too few replicas or a full disk, here by a limit: no restart of ours would help, so the worker
    stays alive."""
    conn = await outbox.connect()
    await _largest_batch(outbox, 50)
    await outbox.sessions(conn, 5)
    running = await outbox.start(outbox.relay(deadline=1))
    await until(lambda: _async(running.relay.metrics.failed_batches.total() > 0))
    await until(lambda: _async(running.relay.progress().backlog > 0))
    await until(lambda: _async(running.relay.progress().waiting_for == "kafka"))
    assert running.relay.progress().alive(patience=0), "nothing has moved, and it is not the worker's fault"
    assert running.relay.metrics.leader, "the lead is kept"
    assert any("not acknowledged" in line and SESSIONS.name in line for line in caplog.messages)
    await _largest_batch(outbox, 1_048_588)
    await outbox.until_empty()
    await until(lambda: _async(running.relay.progress().waiting_for is None), why="it does not clear")
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_missing_topic__is_asked_for_now_and_then_and_says_so(outbox: Outbox, caplog):
    outbox.prefix += "nowhere."
    conn = await outbox.connect()
    await outbox.sessions(conn, 2)
    running = await outbox.start(outbox.relay(deadline=1))
    await until(lambda: _waits_for_kafka(running))
    topics = [SESSIONS.name, SESSION_STATES.name, PRACTITIONERS.name]
    await asyncio.to_thread(outbox.kafka.create_topics, outbox.prefix, topics)
    await outbox.until_empty()
    assert [line for line in caplog.messages if "relay" in line and SESSIONS.name in line]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_failures_under_load__order_and_completeness_hold(outbox: Outbox, monkeypatch, seed: int):
    """Small windows, many batches, one send in four fails before or after it reached Kafka (K9e: v2 before v1)."""
    chance = random.Random(seed)
    send = Publisher.send

    async def unreliable(self, topic, partition, batch):
        await asyncio.sleep(chance.random() * 0.01)
        if chance.random() < 0.12:
            raise Unpublished("lost on the way")
        first = await send(self, topic, partition, batch)
        if chance.random() < 0.12:
            raise Unpublished("lost on the way back")
        return first

    monkeypatch.setattr(Publisher, "send", unreliable)
    monkeypatch.setattr("booking_outbox._lane.WINDOW", 16)
    monkeypatch.setattr("booking_outbox._lane.SMALLEST_WINDOW", 4)
    monkeypatch.setattr("booking_outbox._lane._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("booking_outbox._lane._LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("booking_outbox._publisher.MAX_BATCH_BYTES", 2_500)  # two or three records
    conn = await outbox.connect()
    running = await outbox.start(outbox.relay())
    sessions = [Session() for _ in range(10)]
    for version in range(30):
        for session in sessions:
            await append(conn, session.at(version), [session.requested()])
    await outbox.until_empty()
    assert running.relay.metrics.failed_batches.total() > 10
    assert_published(await outbox.records(), await outbox.event_ids())


def _restart(broker: Kafka) -> None:
    broker.stop()  # reaps the killed process
    broker.start()


async def _largest_batch(outbox: Outbox, number: int) -> None:
    """The broker refuses batches of more bytes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=outbox.kafka.bootstrap)
    async with connected(admin):
        topic, name = outbox.prefix + SESSIONS.name, "max.message.bytes"
        config = {**SESSIONS.config, name: str(number)}
        altered: Any = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
        assert not [row for response in altered for row in response.resources if row[0]], altered

        async def taken() -> bool:
            asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
            response: Any = (await admin.describe_configs(asked))[0]
            return {e[0]: e[1] for e in response.resources[0][4]}.get(name) == str(number)

        await until(taken)


async def _waits_for_kafka(running) -> bool:
    return running.relay.progress().waiting_for == "kafka"


async def _marks_gone(conn, keys) -> bool:
    row = await (await conn.execute("SELECT count(*) FROM outbox WHERE key = ANY(%s)", [list(keys)])).fetchone()
    return row[0] == 0


async def _async(value):
    return value
