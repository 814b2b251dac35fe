"""The outbox's lag is true in every state: it is counted apart from sending (operations.md, relay behind)."""

import asyncio
import os
import signal

import pytest
from shared.outbox.tests.conftest import Outbox, put_profile, until
from shared.process.tests.proxy import proxied
from tests.plugins.servers import KafkaServer

from booking_contracts.topics import PRACTITIONERS, SESSIONS
from booking_local.servers.kafka import Kafka
from booking_outbox import Relay

pytestmark = pytest.mark.servers
DEAD = "127.0.0.1:1"


def shown(relay: Relay) -> dict[tuple[str, ...], float]:
    samples = [sample for family in relay.metrics.collect() for sample in family.samples]
    return {(s.name.removeprefix("booking_"), *s.labels.values()): s.value for s in samples}


async def _until_shown(relay: Relay, topic: str, events: int) -> None:
    """A look is made every two seconds."""
    await until(lambda: _async(shown(relay).get(("relay_lag_events", topic)) == events), why=f"{topic}: not {events}")


async def test_kafka_dead__the_lag_follows_each_commit(outbox: Outbox):
    conn = await outbox.connect()
    relay = outbox.relay(bootstrap=DEAD, deadline=1)
    await outbox.start(relay)
    for sessions in (1, 2, 3):
        await outbox.sessions(conn, 1)
        await _until_shown(relay, SESSIONS.name, 2 * sessions)
    await put_profile(conn)
    await _until_shown(relay, PRACTITIONERS.name, 1)
    assert shown(relay)["relay_lag_seconds", SESSIONS.name] > 0
    assert shown(relay)["relay_waiting", "kafka"] == 1


async def test_restarted_within_an_outage__shows_what_waits(outbox: Outbox):
    conn = await outbox.connect()
    first = await outbox.start(outbox.relay(bootstrap=DEAD, deadline=1))
    await outbox.sessions(conn, 4)
    await first.stop()
    await outbox.sessions(conn, 30)
    second = outbox.relay(bootstrap=DEAD, deadline=1)
    await outbox.start(second)
    await _until_shown(second, SESSIONS.name, 68)
    await outbox.sessions(conn, 1)
    await _until_shown(second, SESSIONS.name, 70)


async def test_broker_killed_and_back__lag_rises_and_clears(outbox: Outbox, server_folder):
    broker = Kafka(server_folder / "kafka-for-lag").start()
    try:
        outbox.kafka = KafkaServer(broker)
        outbox.kafka.create_topics(outbox.prefix)
        conn = await outbox.connect()
        relay = outbox.relay(deadline=1)
        await outbox.start(relay)
        await outbox.sessions(conn, 2)
        await outbox.until_empty()  # a lag of 0 is shown before the first event is seen, too
        os.kill(broker.pid or 0, signal.SIGKILL)
        await outbox.sessions(conn, 5)
        await _until_shown(relay, SESSIONS.name, 10)
        await until(lambda: _async(shown(relay)["relay_waiting", "kafka"] == 1))
        await outbox.sessions(conn, 5)
        await _until_shown(relay, SESSIONS.name, 20)
        await asyncio.to_thread(broker.stop)  # reaps the killed process
        await asyncio.to_thread(broker.start)
        await until(lambda: _async(shown(relay)["relay_lag_events", SESSIONS.name] == 0), why="it does not clear")
        assert shown(relay)["relay_lag_seconds", SESSIONS.name] == 0
        assert shown(relay)["relay_waiting", "kafka"] == 0
    finally:
        broker.stop()


async def test_copy_that_does_not_lead__shows_the_same(outbox: Outbox):
    conn = await outbox.connect()
    leader = outbox.relay(bootstrap=DEAD, deadline=1)
    await outbox.start(leader)
    await until(lambda: _async(leader.metrics.leader))
    standby, api = outbox.relay(bootstrap=DEAD, deadline=1), outbox.relay(bootstrap=DEAD)
    await outbox.start(standby)
    watching = asyncio.create_task(api.watch())  # a process that serves requests only
    try:
        await outbox.sessions(conn, 3)
        for relay in (leader, standby, api):
            await _until_shown(relay, SESSIONS.name, 6)
        assert [shown(relay)["relay_leader",] for relay in (leader, standby, api)] == [1, 0, 0]
        assert standby.progress().backlog == 0, "what the leader has not sent is no fault of a standby"
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_publishing_refused__the_lag_is_shown(outbox: Outbox, monkeypatch):
    conn = await outbox.connect()
    person = await put_profile(conn, version=7)
    first = await outbox.start(outbox.relay())
    await outbox.until_empty()
    await first.stop()
    await conn.execute("UPDATE profile SET version = 3 WHERE id = %s", [person])  # what a restore does
    relay = outbox.relay()
    await outbox.start(relay)
    await until(lambda: _async(relay.metrics.refused))
    await outbox.sessions(conn, 2)
    await _until_shown(relay, SESSIONS.name, 4)
    assert shown(relay)["relay_waiting", "operator"] == 1


async def test_database_silent__no_figure_rather_than_an_old_one(outbox: Outbox, monkeypatch):
    conn = await outbox.connect()
    await outbox.sessions(conn, 2)
    async with proxied(outbox.url) as (proxy, url):
        relay = outbox.relay(bootstrap=DEAD, deadline=1)
        relay._url = url
        running = await outbox.start(relay)
        await _until_shown(relay, SESSIONS.name, 4)
        proxy.silent()
        await until(lambda: _async(("relay_lag_events", SESSIONS.name) not in shown(relay)), why="an old figure stays")
        assert ("relay_lag_seconds", SESSIONS.name) not in shown(relay)
        proxy.cut()
        await proxy.up()
        await until(lambda: _async(shown(relay).get(("relay_lag_events", SESSIONS.name)) == 4))
        await running.stop()


async def test_stop_while_the_database_is_silent__does_not_wait_for_it(outbox: Outbox):
    async with proxied(outbox.url) as (proxy, url):
        relay = outbox.relay(bootstrap=DEAD)
        relay._url = url
        watching = asyncio.create_task(relay.watch())
        await _until_shown(relay, SESSIONS.name, 0)
        proxy.silent()
        await until(lambda: _async("relay look" in {task.get_name() for task in asyncio.all_tasks()}))
        watching.cancel()
        done, _ = await asyncio.wait([watching], timeout=30)
        assert done, "the stop waits for an answer"


async def _async(value):
    return value
