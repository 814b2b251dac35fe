"""`booking-ops topics` on a real broker: made, compared, set right; what can't be set right is said."""

import asyncio
import json
from asyncio import to_thread
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS, TOPICS, TRANSACTIONS
from booking_ops.cli import main

pytestmark = pytest.mark.servers


@pytest.fixture
def prefix(kafka, monkeypatch):
    made = kafka.prefix()
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("TOPIC_PREFIX", made)
    return made


async def spoil(bootstrap, prefix):
    """Sessions expire after a day and flush; transactions have too few partitions; the others are missing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        await admin.create_topics(
            [NewTopic(prefix + SESSIONS.name, SESSIONS.partitions, 1, topic_configs=SESSIONS.config)]
        )
        await admin.create_topics([NewTopic(prefix + TRANSACTIONS.name, 1, 1, topic_configs=TRANSACTIONS.config)])
        configs = {**SESSIONS.config, "retention.ms": "86400000", "flush.messages": "7"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, prefix + SESSIONS.name, configs)])


async def flushes(bootstrap, name):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        response: Any
        (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        return {entry[0]: entry[1] for entry in response.resources[0][4]}["flush.messages"]


async def test_topics__are_compared_and_set_right_but_for_their_partitions(kafka, prefix, capfd):
    await spoil(kafka.bootstrap, prefix)

    def run(*words):
        code = main(["topics", *words])
        return code, capfd.readouterr().out

    missing = {topic.name for topic in TOPICS} - {SESSIONS.name, TRANSACTIONS.name}
    differing = {
        (SESSIONS.name, "retention.ms"): "86400000",
        (TRANSACTIONS.name, "partitions"): "1",
        **{(name, None): None for name in missing},
    }
    code, told = 0, None
    async with asyncio.timeout(60):
        while told != differing:  # a broker tells of what it made a moment later
            code, out = await to_thread(run, "compare", "--json")
            told = {(one["topic"].removeprefix(prefix), one["name"]): one["found"] for one in json.loads(out)}
    assert code == 1

    assert (await to_thread(run, "repair"))[0] == 2, "nobody can be asked"
    code, out = await to_thread(run, "repair", "--yes", "--replication", "1")
    assert code == 1
    (left,) = [line for line in out.splitlines() if line.startswith("left: ")]
    assert left.startswith(
        f"left: {prefix}{TRANSACTIONS.name} has 1 partitions, not {TRANSACTIONS.partitions}. More part"
    )
    assert out.splitlines()[-1] == f"{len(differing) - 1} set right, 1 left"
    assert await flushes(kafka.bootstrap, prefix + SESSIONS.name) == "7", "what else was set stays"

    code, out = await to_thread(run, "compare", "--topic", SESSIONS.name)
    assert (code, out) == (0, "1 topics, 0 differences\n")
    code, out = await to_thread(run, "create", "--replication", "1")
    assert (code, out) == (0, f"0 made, {len(TOPICS)} were there\n")


async def test_more_replicas_than_brokers__are_refused_with_the_option_that_says_how_many(prefix, monkeypatch, capfd):
    monkeypatch.delenv("TOPIC_REPLICATION", raising=False)
    for words in ("create",), ("repair", "--yes"):
        assert await to_thread(main, ["topics", *words]) == 2
        err = capfd.readouterr().err.strip().splitlines()[-1]
        assert err.startswith("Kafka has fewer brokers than each topic should have replicas: could not create ")
        assert err.endswith(". Say how many with --replication.")
        assert "Error" not in err
    monkeypatch.setenv("TOPIC_REPLICATION", "1")
    assert await to_thread(main, ["topics", "create"]) == 0
    assert f"made {prefix}{SESSIONS.name}" in capfd.readouterr().out
