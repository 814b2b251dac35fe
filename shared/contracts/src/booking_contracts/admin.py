"""The catalogue's topics on a broker: making them, comparing them, setting them right; it needs the extra `kafka`."""
# aiokafka's admin client has no types, hence not strict here.
# pyright: standard

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within
from booking_contracts.topics import TOPICS, Topic

_PATIENCE = 15.0
"""Seconds that a broker may take to answer."""
_IN_SYNC = "min.insync.replicas"
_OF_THE_TOPIC = 1
"""Where a config was set, in Kafka's numbers (DescribeConfigs): of the topic itself, not of the broker, no default."""


class TopicMismatch(Exception):
    """A topic on the broker is missing or differs from the catalogue; the message says which and how."""


async def create_topics(
    bootstrap: str, prefix: str = "", replication: int = 1, topics: Sequence[Topic] = TOPICS
) -> None:
    """Create the topics that do not exist yet, with all their configs; those that exist are left as they are.

    With three replicas two must acknowledge (`min.insync.replicas`), with one the one.
    """
    async with admin_client(bootstrap) as admin:
        response: Any = await admin.create_topics([_new(topic, prefix, replication) for topic in topics])
        for name, code, *message in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"could not create {name}: {' '.join(filter(None, message)) or 'no reason was given'}")
        await _seen(admin, {prefix + topic.name for topic in topics})


async def assert_topics(bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> None:
    """TopicMismatch unless every topic exists with the catalogue's partitions and configs (retention above all)."""
    missing, wrong = await compare_topics(bootstrap, prefix, topics)
    if found := [f"{name} is missing" for name in missing] + wrong:
        raise TopicMismatch("; ".join(found))


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which a topic is not as catalogued. ``topic`` is its name on the broker; ``name`` is a config's,
    ``partitions``, or None for a topic that is missing."""

    topic: str
    name: str | None
    found: str | None
    expected: str

    @property
    def repairable(self) -> bool:
        """Whether Kafka can set it right without moving a record: a topic is made, a config is set."""
        return self.name != "partitions"

    @property
    def sentence(self) -> str:
        """What to tell people."""
        if self.name is None:
            return f"{self.topic} is missing"
        if self.name == "partitions":
            return f"{self.topic} has {self.found} partitions, not {self.expected}"
        return f"{self.topic} has {self.name}={self.found}, not {self.expected}"


async def compare_topics(
    bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS, *, patience: float = _PATIENCE
) -> tuple[list[str], list[str]]:
    """The topics that are missing, and a sentence for each way in which one that exists is not as catalogued.

    Raises KafkaConnectionError if no broker answers within so many seconds.
    """
    found = await drift(bootstrap, prefix, topics, patience=patience)
    missing = [one.topic for one in found if one.name is None]
    return missing, [one.sentence for one in found if one.name not in (None, _IN_SYNC)]


async def missing_topics(
    bootstrap: str, prefix: str, topics: Sequence[Topic], *, patience: float = _PATIENCE
) -> list[str]:
    """The names on the broker of those that are not there, or that this user may not see. Raises KafkaConnectionError
    if no broker answers within so many seconds."""
    async with admin_client(bootstrap, patience) as admin:
        there = await _partitions(admin)
    return [prefix + topic.name for topic in topics if prefix + topic.name not in there]


async def drift(
    bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS, *, patience: float = _PATIENCE
) -> list[Drift]:
    """Each way in which the broker's topics are not as catalogued; one of three replicas or more also where fewer than
    two must acknowledge. Raises KafkaConnectionError if no broker answers within so many seconds."""
    async with admin_client(bootstrap, patience) as admin:
        described = {row["topic"]: row["partitions"] for row in await admin.describe_topics() if not row["error_code"]}
        there = [topic for topic in topics if prefix + topic.name in described]
        configs = await _configs(admin, [prefix + topic.name for topic in there])
    found = [Drift(prefix + topic.name, None, None, "a topic") for topic in topics if topic not in there]
    for topic in there:
        name = prefix + topic.name
        partitions, now = described[name], configs[name]
        if len(partitions) != topic.partitions:
            found.append(Drift(name, "partitions", str(len(partitions)), str(topic.partitions)))
        wanted = dict(topic.config)
        if min(len(one["replicas"]) for one in partitions) >= 3:
            wanted[_IN_SYNC] = max("2", now.get(_IN_SYNC) or "", key=lambda text: int(text or "0"))
        found += [Drift(name, key, now.get(key), value) for key, value in wanted.items() if now.get(key) != value]
    return found


async def set_configs(bootstrap: str, prefix: str, names: Collection[str], topics: Sequence[Topic] = TOPICS) -> None:
    """Set the catalogue's configs of these topics (names as on the broker); what else was set of them stays."""
    chosen = [topic for topic in topics if prefix + topic.name in names]
    if not chosen:
        return
    async with admin_client(bootstrap) as admin:
        replicas = {
            row["topic"]: min(len(one["replicas"]) for one in row["partitions"])
            for row in await admin.describe_topics()
            if not row["error_code"]
        }
        own = await _configs(admin, [prefix + topic.name for topic in chosen], own=True)
        # This call of Kafka sets all that it names and takes away all that it doesn't.
        resources: list[ConfigResource] = []
        for topic in chosen:
            name = prefix + topic.name
            configs = {**own[name], **topic.config}
            if replicas[name] >= 3 and int(configs.get(_IN_SYNC, "0")) < 2:
                configs[_IN_SYNC] = "2"
            resources.append(ConfigResource(ConfigResourceType.TOPIC, name, configs))
        responses: list[Any] = list(await admin.alter_configs(resources))
        for response in responses:
            for code, message, _, name in response.resources:
                if code:
                    raise for_code(code)(f"could not set the configs of {name}: {message}")


@asynccontextmanager
async def admin_client(bootstrap: str, patience: float = _PATIENCE) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = await _connected(bootstrap, patience)
    try:
        yield admin
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await within(5.0, admin.close())


async def _connected(bootstrap: str, patience: float) -> AIOKafkaAdminClient:
    """A broker listens some time before it takes part: asked again until it answers. Raises KafkaConnectionError."""
    deadline = time.monotonic() + patience
    while True:
        admin = AIOKafkaAdminClient(**client_options(bootstrap), client_id="booking-topics")
        try:
            await within(max(1.0, deadline - time.monotonic()), admin.start())
        except (KafkaConnectionError, TimeoutError) as error:  # a broker that accepts and says nothing (K9g)
            with suppress(KafkaError, OSError, TimeoutError):
                await within(5.0, admin.close())
            if time.monotonic() > deadline:
                raise KafkaConnectionError(f"no broker answers at {bootstrap}") from error
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


async def _configs(admin: AIOKafkaAdminClient, names: list[str], *, own: bool = False) -> dict[str, dict[str, str]]:
    """Each topic's configs as they hold, or only its ``own``: those that were set of the topic itself."""
    if not names:
        return {}
    found: dict[str, dict[str, str]] = {}
    responses: list[Any] = list(
        await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    )
    for response in responses:
        set_here = _OF_THE_TOPIC if response.API_VERSION >= 1 else False
        for code, message, _, name, entries in response.resources:
            if code:
                raise for_code(code)(f"could not read the configs of {name}: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries if not own or entry[3] == set_here}
    return found
