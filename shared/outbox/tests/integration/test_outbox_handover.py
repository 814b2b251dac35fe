"""Who leads, and what happens when the leader dies, freezes or is cut off (F8, F21, F22, F24)."""

import asyncio
import signal
from collections import Counter

import pytest
from shared.outbox.tests.conftest import Outbox, assert_published, assert_states, header, put_profile, until

from booking_contracts.topics import PRACTITIONERS, SESSION_STATES
from booking_outbox._publisher import Publisher

pytestmark = pytest.mark.servers


async def test_crash_before_send__everything_is_published_by_the_next(outbox: Outbox, spawn):
    conn = await outbox.connect()
    await outbox.sessions(conn, 20)
    crashed = await spawn(CRASH_AT="relay.before_send")
    assert await crashed.ended() == -signal.SIGKILL
    assert await outbox.records() == []
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_crash_after_ack__only_duplicates_come_of_it(outbox: Outbox, spawn):
    conn = await outbox.connect()
    await outbox.sessions(conn, 20)
    crashed = await spawn(CRASH_AT="relay.after_ack")
    assert await crashed.ended() == -signal.SIGKILL
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    copies = Counter(header(record, "ce_id") for record in records)
    assert 1 < max(copies.values()) <= 2
    assert_states(await outbox.records(SESSION_STATES.name), records)


async def test_two_relays__one_leads(outbox: Outbox):
    conn = await outbox.connect()
    first, second = await outbox.start(outbox.relay()), await outbox.start(outbox.relay())
    for _ in range(5):
        await outbox.sessions(conn, 5)
        await outbox.until_empty()
    leaders = [running for running in (first, second) if running.relay.metrics.leader]
    assert len(leaders) == 1
    records = await outbox.records()
    assert_published(records, await outbox.event_ids())
    assert len(records) == 50
    assert all(running.relay.progress().alive() for running in (first, second))


async def test_killed_leader__the_standby_goes_on(outbox: Outbox, spawn):
    conn = await outbox.connect()
    leader = await spawn()
    await until(lambda: _has_lock(conn))
    standby = await outbox.start(outbox.relay())
    await outbox.sessions(conn, 20)
    leader.signal(signal.SIGKILL)
    await outbox.sessions(conn, 20)
    await until(lambda: _leads(standby))
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_frozen_leader__is_overtaken_and_does_no_harm_when_it_wakes(outbox: Outbox, spawn):
    """F24: idle_session_timeout ends its session; what it still had in hand are duplicates."""
    conn = await outbox.connect()
    leader = await spawn()
    await until(lambda: _has_lock(conn))
    standby = await outbox.start(outbox.relay())
    await outbox.sessions(conn, 20)
    leader.signal(signal.SIGSTOP)
    await outbox.sessions(conn, 20)
    await until(lambda: _leads(standby), why="nobody took over from the frozen leader")
    await outbox.until_empty()
    leader.signal(signal.SIGCONT)
    await outbox.sessions(conn, 20)
    await outbox.until_empty()
    await until(lambda: _sessions_of_relays(conn, 2), why="the woken relay did not come back as a standby")
    assert standby.relay.metrics.leader
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_cut_connection__the_lead_is_taken_anew_and_nothing_is_lost(outbox: Outbox):
    conn = await outbox.connect()
    relays = [await outbox.start(outbox.relay()) for _ in range(2)]
    for _ in range(4):
        await until(lambda: _any_leads(relays))
        await outbox.sessions(conn, 20)
        await _terminate(conn, "relay")
        await _terminate(conn, "relay-listen")
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_cut_while_a_state_row_is_in_flight__its_late_copy_does_not_win(outbox: Outbox):
    """The old value lands behind the new one that the next leader sent; whoever was cut marks the key again."""
    conn = await outbox.connect()
    person = await put_profile(conn, version=1, value='{"v":1}')
    send, late = Publisher.send, []

    async def stuck(self, topic, partition, batch):
        if late:
            return await send(self, topic, partition, batch)
        late.append((topic, partition, batch))
        try:
            await asyncio.Event().wait()
            return 0
        finally:  # the bytes were on their way all the while, and land now
            await put_profile(conn, person, version=2, value='{"v":2}')
            await second.relay_once()
            await publisher_of_the_network.send(topic, partition, batch)

    class Second:
        async def relay_once(self):
            self.running = await outbox.start(outbox.relay())
            await outbox.until_empty()

    second = Second()
    publisher_of_the_network = await Publisher.start(outbox.kafka.bootstrap)
    Publisher.send = stuck
    try:
        await outbox.start(outbox.relay())
        await until(lambda: _async(bool(late)))
        await _terminate(conn, "relay")

        async def current_wins() -> bool:
            records = await outbox.records(PRACTITIONERS.name)
            return [r.value for r in records][-2:] == [b'{"v":1}', b'{"v":2}']

        await until(current_wins, why="the late copy of the old value stayed the last")
    finally:
        Publisher.send = send
        await publisher_of_the_network.stop()


async def _has_lock(conn) -> bool:
    row = await (
        await conn.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    ).fetchone()
    return row[0] > 0


async def _leads(running) -> bool:
    return running.relay.metrics.leader


async def _any_leads(relays) -> bool:
    return any(running.relay.metrics.leader for running in relays)


async def _sessions_of_relays(conn, count: int) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relay' AND datname = current_database()"
    return (await (await conn.execute(query)).fetchone())[0] >= count


async def _terminate(conn, name: str) -> None:
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = %s AND datname = current_database()",
        [name],
    )


async def _async(value):
    return value
