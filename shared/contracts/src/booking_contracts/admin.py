"""Making the catalogue's topics on a broker, and seeing that they are as it says; it needs the extra `kafka`."""
# aiokafka's admin client has no types, hence not strict here.
# pyright: standard

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from booking_contracts.brokers import client_options
from booking_contracts.topics import TOPICS, Topic

_PATIENCE = 15.0
"""Seconds that a broker may take to answer."""


class TopicMismatch(Exception):
    """A topic on the broker is missing or differs from the catalogue; the message says which and how."""


async def create_topics(
    bootstrap: str, prefix: str = "", replication: int = 1, topics: Sequence[Topic] = TOPICS
) -> None:
    """Create the topics that do not exist yet, with all their configs; those that exist are left as they are.

    With three replicas two must acknowledge (`min.insync.replicas`), with one the one.
    """
    async with _admin(bootstrap) as admin:
        response: Any = await admin.create_topics([_new(topic, prefix, replication) for topic in topics])
        for name, code, *message in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"could not create {name}: {message}")
        await _seen(admin, {prefix + topic.name for topic in topics})


async def assert_topics(bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> None:
    """TopicMismatch unless every topic exists with the catalogue's partitions and configs (retention above all)."""
    missing, wrong = await compare_topics(bootstrap, prefix, topics)
    if found := [f"{name} is missing" for name in missing] + wrong:
        raise TopicMismatch("; ".join(found))


async def compare_topics(
    bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS, *, patience: float = _PATIENCE
) -> tuple[list[str], list[str]]:
    """The topics that are missing, and a sentence for each way in which one that exists is not as catalogued.

    Raises KafkaConnectionError if no broker answers within so many seconds.
    """
    async with _admin(bootstrap, patience) as admin:
        found = await _partitions(admin)
        missing = [prefix + topic.name for topic in topics if prefix + topic.name not in found]
        there = [topic for topic in topics if prefix + topic.name in found]
        wrong = [
            f"{prefix}{topic.name} has {found[prefix + topic.name]} partitions, not {topic.partitions}"
            for topic in there
            if found[prefix + topic.name] != topic.partitions
        ]
        configs = await _configs(admin, [prefix + topic.name for topic in there])
        wrong += [
            f"{prefix}{topic.name} has {name}={configs[prefix + topic.name].get(name)}, not {value}"
            for topic in there
            for name, value in topic.config.items()
            if configs[prefix + topic.name].get(name) != value
        ]
    return missing, wrong


@asynccontextmanager
async def _admin(bootstrap: str, patience: float = _PATIENCE) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = await _connected(bootstrap, patience)
    try:
        yield admin
    finally:
        await admin.close()


async def _connected(bootstrap: str, patience: float) -> AIOKafkaAdminClient:
    """A broker listens some time before it takes part: asked again until it answers. Raises KafkaConnectionError."""
    deadline = time.monotonic() + patience
    while True:
        admin = AIOKafkaAdminClient(**client_options(bootstrap), client_id="booking-topics")
        try:
            await admin.start()
        except KafkaConnectionError:
            await admin.close()
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return admin


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics() if not row["error_code"]}


async def _seen(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """A created topic reaches the brokers' metadata a moment later: whoever asked may produce at once."""
    async with asyncio.timeout(30):
        while True:
            if names <= (await _partitions(admin)).keys():
                return
            await asyncio.sleep(0.02)


def _new(topic: Topic, prefix: str, replication: int) -> NewTopic:
    configs = {**topic.config, "min.insync.replicas": "2" if replication >= 3 else "1"}
    return NewTopic(prefix + topic.name, topic.partitions, replication, topic_configs=configs)


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    found: dict[str, dict[str, str]] = {}
    responses: list[Any] = list(
        await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    )
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code:
                raise for_code(code)(f"could not read the configs of {name}: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
