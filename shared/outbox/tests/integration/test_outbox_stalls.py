"""A session that stalls, is silent, or loses the lead, and flights that end in any way: nothing is left behind."""

import asyncio

import pytest
from shared.outbox.tests.conftest import Outbox, assert_published, until
from shared.process.tests.proxy import proxied

from booking_outbox import LeadLost, Relay
from booking_outbox._lead import Lead
from booking_outbox._publisher import Publisher

pytestmark = pytest.mark.servers


async def test_stall_past_the_lead__marks_in_hand_are_taken_again(outbox: Outbox, monkeypatch):
    """The flight sees that the lead may be lost; the session answers again before the loop looks: lost stays lost."""
    monkeypatch.setattr("booking_outbox._publisher.MAX_BATCH_BYTES", 2_500)  # two or three records
    conn = await outbox.connect()
    await outbox.sessions(conn, 30)
    relay, send, check, stalls = outbox.relay(), Publisher.send, Lead.check, []

    async def stalling(self, topic, partition, batch):
        await send(self, topic, partition, batch)
        if not stalls:
            stalls.append(partition)
            _lead_of(relay)._heard -= 3600  # between this batch and the next the process slept

    def answered_just_then(self):
        try:
            check(self)
        except LeadLost:
            self.heard()
            raise

    monkeypatch.setattr(Publisher, "send", stalling)
    monkeypatch.setattr(Lead, "check", answered_just_then)
    await outbox.start(relay)
    await outbox.until_empty()
    assert stalls
    assert_published(await outbox.records(), await outbox.event_ids())


@pytest.mark.parametrize("ending", [RuntimeError("a defect"), asyncio.CancelledError(), ValueError("corrupt")])
async def test_flight_ended_by_anything__its_marks_are_taken_again(outbox: Outbox, monkeypatch, ending):
    """A Kafka client that closes cancels its futures: whoever waits for one sees CancelledError and is not meant."""
    conn = await outbox.connect()
    await outbox.sessions(conn, 5)
    send, ended = Publisher.send, []

    async def failing(self, topic, partition, batch):
        if len(ended) < 3:
            ended.append(partition)
            raise ending
        await send(self, topic, partition, batch)

    monkeypatch.setattr(Publisher, "send", failing)
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    assert_published(await outbox.records(), await outbox.event_ids())


@pytest.fixture
def quick_loss(monkeypatch):
    """The lead counts as lost after two seconds of silence."""
    monkeypatch.setattr("booking_outbox._lead.IDLE_SESSION_SECONDS", 3)
    monkeypatch.setattr("booking_outbox._lead.IDLE_SESSION_SECONDS", 3)
    monkeypatch.setattr("booking_outbox._lead._HEARTBEAT_SECONDS", 0.5)


async def test_silent_database__the_term_ends_and_another_follows(outbox: Outbox, quick_loss):
    """F3, F10: bytes are acknowledged and never answered, which neither TCP nor statement_timeout notices."""
    conn = await outbox.connect()
    async with proxied(outbox.url) as (proxy, url):
        running = await outbox.start(_relay(outbox, url))
        await outbox.sessions(conn, 5)
        await outbox.until_empty()
        proxy.silent()
        await until(lambda: _async(not running.relay.metrics.leader), why="the term hangs on a silent session")
        await until(lambda: _async(running.relay.progress().waiting_for == "postgres"))
        assert running.relay.progress().alive(), "a restart would not make the database answer"
        await outbox.sessions(conn, 5)
        proxy.cut()
        await proxy.up()
        await outbox.until_empty()
        await running.stop()
    assert_published(await outbox.records(), await outbox.event_ids())


async def test_silent_database__a_standby_and_a_stop_end_their_waits(outbox: Outbox, quick_loss):
    leader = await outbox.start(outbox.relay())
    await until(lambda: _async(leader.relay.metrics.leader))
    async with proxied(outbox.url) as (proxy, url):
        standby = await outbox.start(_relay(outbox, url))
        await until(lambda: _async(bool(standby.relay.metrics.lag_events)))
        proxy.silent()
        await until(lambda: _async(standby.relay.progress().waiting_for == "postgres"))
        await standby.stop()


async def test_loop_that_does_not_turn__is_not_alive(outbox: Outbox, monkeypatch):
    """Whatever it said it waits for: each wait has a deadline, so this is a defect, and a restart helps."""
    monkeypatch.setattr("booking_outbox._relay._TURN_SECONDS", 0.5)
    hanging = asyncio.Event()

    async def hang(self):
        hanging.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("booking_outbox._term.Term.run", hang)
    running = await outbox.start(outbox.relay())
    await asyncio.wait_for(hanging.wait(), 60)
    await until(lambda: _async(not running.relay.progress().alive(patience=0.5)))
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)


def _relay(outbox: Outbox, url: str) -> Relay:
    relay = outbox.relay()
    relay._url = url
    return relay


async def _async(value):
    return value


def _lead_of(relay: Relay):
    assert relay._term is not None
    return relay._term._lead
