"""The stack's topics as an operator's tool sees them: everything that is in them, and a way to put records there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from tests.rigs.topics import read

from booking_contracts.deadlines import connected
from booking_contracts.topics import topic_named


@dataclass(frozen=True)
class Raw:
    """One record's bytes and where they lie."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def holds(self, text: bytes) -> bool:
        """Whether any of its parts has these bytes in it."""
        return any(text in part for part in (self.key, self.value, *(value for _, value in self.headers)) if part)


def everything(bootstrap: str) -> list[Raw]:
    """Every record of every topic of the platform."""
    return asyncio.run(_everything(bootstrap))


def append(bootstrap: str, topic: str, records: Sequence[tuple[str, bytes | None]]) -> None:
    """Put these keys and values at the end of a topic, with no header at all: nothing of ours can read them."""
    asyncio.run(_append(bootstrap, topic, records))


def configure(bootstrap: str, topic: str, settings: Mapping[str, str]) -> None:
    """Change settings of a topic; the others keep theirs."""
    asyncio.run(_configure(bootstrap, topic, settings))


async def _everything(bootstrap: str) -> list[Raw]:
    found = await read(bootstrap, await _partitions(bootstrap))
    return [Raw(one.topic, one.key, one.value, tuple(one.headers)) for one in found]


async def _partitions(bootstrap: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        described = await admin.describe_topics()
    ours = [topic for topic in described if not topic["topic"].startswith("__")]
    return [TopicPartition(topic["topic"], one["partition"]) for topic in ours for one in topic["partitions"]]


async def _append(bootstrap: str, topic: str, records: Sequence[tuple[str, bytes | None]]) -> None:
    async with connected(AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for key, value in records:
            await producer.send_and_wait(topic, value, key=key.encode())


async def _configure(bootstrap: str, topic: str, settings: Mapping[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        # This call of Kafka sets all that it names and resets all that it doesn't.
        whole = {**topic_named(topic).config, **settings}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, whole)])
