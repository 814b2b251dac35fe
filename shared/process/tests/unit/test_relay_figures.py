"""What /metrics shows of the relays of a process: an outbox that nothing drains must be seen."""

import asyncio

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from shared.web.tests.conftest import settings_for

from booking_outbox import Progress, Relay, RelayMetrics
from booking_process.database import Database
from booking_process.health import Health
from booking_process.service import Service, Worker
from booking_web.application import create_app

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


class Relaying:
    """A worker with a relay's figures."""

    name = "relay"

    def __init__(self) -> None:
        self.metrics = RelayMetrics()

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    def progress(self) -> Progress:
        return Progress(0, 0.0)


class Idle:
    """A worker that publishes nothing."""

    name = "idle"

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    def progress(self) -> Progress:
        return Progress(0, 0.0)


def shown(*workers: Worker) -> dict[tuple[str, str], float]:
    """Value by name and topic, as Prometheus reads the text; of the relays only."""
    service = Service("sample", "Sample", settings_for(NOWHERE), Database(NOWHERE), workers=workers)
    families = text_string_to_metric_families(Health(service, "api").figures().decode())
    return {
        (s.name, s.labels.get("topic", s.labels.get("cause", ""))): s.value
        for family in families
        for s in family.samples
        if s.name.startswith("booking_relay_")
    }


def test_leading__shows_lag_and_counts_by_topic():
    relay = Relaying()
    relay.metrics.leader = True
    relay.metrics.waiting_for = "kafka"
    relay.metrics.lag_events |= {"booking.sessions": 7, "booking.transactions": 0}
    relay.metrics.lag_seconds["booking.sessions"] = 2.5
    relay.metrics.published["booking.sessions"] += 40
    relay.metrics.failed_batches["booking.sessions"] += 1
    assert shown(Idle(), relay) == {
        ("booking_relay_leader", ""): 1,
        ("booking_relay_refused", ""): 0,
        ("booking_relay_waiting", "kafka"): 1,
        ("booking_relay_waiting", "operator"): 0,
        ("booking_relay_waiting", "postgres"): 0,
        ("booking_relay_lag_events", "booking.sessions"): 7,
        ("booking_relay_lag_events", "booking.transactions"): 0,
        ("booking_relay_lag_seconds", "booking.sessions"): 2.5,
        ("booking_relay_published_total", "booking.sessions"): 40,
        ("booking_relay_failed_batches_total", "booking.sessions"): 1,
    }


def test_no_relay__shows_nothing():
    assert shown(Idle()) == {}


class Watched(Relay):
    """A relay of which only the counting is looked at."""

    def __init__(self) -> None:
        super().__init__(database_url=NOWHERE, bootstrap="127.0.0.1:1", topics=[], lock_name="sample relay")
        self.counting = asyncio.Event()

    async def watch(self) -> None:
        self.metrics.lag_events["booking.sessions"] = 68
        self.counting.set()
        await asyncio.Event().wait()


async def test_process_that_serves_requests_only__counts_what_waits_for_the_relay():
    """With every worker dead nobody else would: the alarm needs the figure just then."""
    relay = Watched()
    app = create_app(Service("sample", "Sample", settings_for(NOWHERE), Database(NOWHERE), workers=[relay]), mode="api")
    async with app.router.lifespan_context(app):
        await asyncio.wait_for(relay.counting.wait(), 60)
        text = app.state.health.figures().decode()
    assert 'booking_relay_lag_events{topic="booking.sessions"} 68.0' in text
    assert "booking_relay_leader 0.0" in text


def test_series__are_there_at_0_before_anything_is_sent():
    """`rate` sees no rise of a series that begins with its first record."""
    relay = Relaying()
    relay.metrics.begin(["booking.sessions"], ["booking.contacts"])
    relay.metrics.took["booking.sessions"].observe(0.3)
    found = shown(relay)
    assert found["booking_relay_published_total", "booking.sessions"] == 0
    assert found["booking_relay_published_total", "booking.contacts"] == 0
    assert found["booking_relay_failed_batches_total", "booking.sessions"] == 0
    assert found["booking_relay_publish_seconds_count", "booking.sessions"] == 1
    assert found["booking_relay_publish_seconds_sum", "booking.sessions"] == 0.3
    assert ("booking_relay_publish_seconds_count", "booking.contacts") not in found
    text = generate_latest(relay.metrics).decode()
    assert 'booking_relay_publish_seconds_bucket{le="0.25",topic="booking.sessions"} 0.0' in text
    assert 'booking_relay_publish_seconds_bucket{le="0.5",topic="booking.sessions"} 1.0' in text
    assert 'booking_relay_publish_seconds_bucket{le="+Inf",topic="booking.sessions"} 1.0' in text
