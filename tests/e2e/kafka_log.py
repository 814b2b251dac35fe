"""The stack's topics as an operator's tool sees them: everything that is in them, and a way to put records there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from tests.rigs.topics import read

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.deadlines import connected
from booking_contracts.envelope import Envelope
from booking_contracts.ids import partition_of
from booking_contracts.topics import ASSESSMENTS, topic_named


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


def tell_assessment(bootstrap: str, about: AssessmentCompleted, *times: datetime, prefix: str = "") -> None:
    """Words of the assessment service on one assessment, in one batch: it was completed then, no, then."""
    asyncio.run(tell_assessment_now(bootstrap, about, *times, prefix=prefix))


async def tell_assessment_now(bootstrap: str, about: AssessmentCompleted, *times: datetime, prefix: str = "") -> None:
    """The same, where a loop runs."""
    key = str(about.assessment_id).encode()
    partition = partition_of(key, ASSESSMENTS.partitions)
    async with connected(AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        batch, now = producer.create_batch(), datetime.now(UTC)
        for number, completed_at in enumerate(times):
            event = about.model_copy(update={"completed_at": completed_at})
            said = Envelope(
                id=uuid4(), source=ASSESSMENTS.source, type=event.full_type(), subject=key.decode(),
                time=now + timedelta(milliseconds=number),
                sequence=None, actor="service:assessments", correlation_id=key.decode(), causation_id=None,
                traceparent=None,
            )  # fmt: skip
            taken = batch.append(key=key, value=event.to_json().encode(), timestamp=None, headers=said.headers())
            assert taken is not None, "too much for a batch"
        sent = await producer.send_batch(batch, prefix + ASSESSMENTS.name, partition=partition)
        await sent


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
