"""What /readyz says of Kafka: nothing is green that is dead."""

import httpx2
import pytest
from shared.web.tests.conftest import settings_for

from booking_contracts.topics import TOPICS
from booking_outbox import Relay
from booking_process.broker import broker_state
from booking_process.database import Database
from booking_process.service import Mode, Service
from booking_web.application import create_app

pytestmark = pytest.mark.servers


async def test_broker_without_our_topics__is_not_ok_and_asking_makes_none(kafka):
    prefix = kafka.prefix()
    names = [prefix + topic.name for topic in TOPICS]
    state = await broker_state(kafka.bootstrap, names)
    assert (state.why, list(state.missing)) == (None, names)
    assert str(state) == f"{len(names)} topics missing"
    assert str(await broker_state(kafka.bootstrap, names)) == str(state), "asking has made them"
    assert str(await broker_state(kafka.bootstrap, ())) == "ok"
    assert str(await broker_state(f"127.0.0.1:1,{kafka.bootstrap}", names)) == str(state)


async def test_some_topics_missing__are_named_until_they_are_made(kafka):
    prefix = kafka.prefix()
    names = [prefix + topic.name for topic in TOPICS]
    kafka.create_topics(prefix, [topic.name for topic in TOPICS[1:]])
    assert list((await broker_state(kafka.bootstrap, names)).missing) == names[:1]
    kafka.create_topics(prefix)
    assert str(await broker_state(kafka.bootstrap, names)) == "ok"


@pytest.mark.parametrize("mode", ["api", "all", "worker"])
async def test_ready__says_what_is_wrong_with_kafka(kafka, mode: Mode):
    prefix = kafka.prefix()
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    relay = Relay(database_url=nowhere, bootstrap="127.0.0.1:1", topics=[], lock_name="sample relay")
    settings = settings_for(nowhere, kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix)
    app = create_app(Service("sample", "Sample", settings, Database(nowhere), workers=[relay]), mode=mode)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://sample") as client:

        async def said() -> str:
            return (await client.get("/readyz")).json()["kafka"]

        assert await said() == f"{len(TOPICS)} topics missing"
        kafka.create_topics(prefix)
        assert await said() == ("ok" if mode == "api" else "not checked yet")
        app.state.health.topics_checked = True  # as the lifespan does once it has compared them
        assert await said() == "ok"
        relay.metrics.waiting_for = "kafka"
        assert await said() == "refuses writes"
        relay.metrics.waiting_for = None
        assert await said() == "ok"
