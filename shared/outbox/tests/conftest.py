"""A database with events and marks, topics of its own, and relays to run on them."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from shared.store.tests.conftest import migrate as migrate_store
from shared.store.tests.sample.session import Session, append
from tests.plugins.servers import Databases, KafkaServer, PostgresServer
from tests.rigs.topics import read

from booking_contracts.deadlines import connected
from booking_contracts.topics import NOTICES, PRACTITIONERS, SESSION_STATES, SESSIONS
from booking_outbox import EventTopic, Relay, StateTopic

LOCK = "sample relay"
PROFILE = """
CREATE TABLE profile (id uuid PRIMARY KEY, version int NOT NULL, value text);
GRANT SELECT, INSERT, UPDATE ON profile TO {app};
"""
PROFILES = StateTopic(
    PRACTITIONERS,
    query="SELECT id::text AS key, version, value FROM profile WHERE id::text = ANY(%(keys)s::text[])",
    all_keys="SELECT id AS key FROM profile",
)
EVENTS = EventTopic(SESSIONS, states=SESSION_STATES)
STATES = StateTopic(
    SESSION_STATES,
    query="SELECT stream_id::text AS key, max(version) AS version, json_agg(id ORDER BY version)::text AS value "
    "FROM events WHERE stream_id = ANY(%(keys)s::text[]::uuid[]) GROUP BY stream_id",
    all_keys="SELECT DISTINCT stream_id AS key FROM events",
)
TOPICS = (EVENTS, STATES, PROFILES)


def _migrate(databases: Databases) -> None:
    migrate_store(databases)
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        conn.execute(PROFILE.format(app=databases.app_url.split("://")[1].split(":")[0]).encode())


@dataclass
class Outbox:
    """One service's database, its topics, and what tests do with them."""

    databases: Databases
    kafka: KafkaServer
    prefix: str
    stack: contextlib.AsyncExitStack
    relays: list["Running"] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.databases.app_url

    async def connect(self, *, autocommit: bool = True) -> psycopg.AsyncConnection:
        conn = await psycopg.AsyncConnection.connect(self.url, autocommit=autocommit)
        return await self.stack.enter_async_context(conn)

    async def sessions(self, conn, count: int) -> list[Session]:
        """Sessions of two events each."""
        made = [Session() for _ in range(count)]
        for session in made:
            await append(conn, session, [session.requested(), session.requested()])
        return made

    def relay(self, **kwargs) -> Relay:
        options = {"topics": TOPICS, "lock_name": LOCK, "topic_prefix": self.prefix, **kwargs}
        return Relay(database_url=self.url, **{"bootstrap": self.kafka.bootstrap, **options})

    async def start(self, relay: Relay) -> "Running":
        running = Running(relay)
        self.relays.append(running)
        return running

    async def records(self, topic: str = SESSIONS.name) -> list[ConsumerRecord]:
        """Every record of the topic so far, per partition in order."""
        return await read_all(self.kafka.bootstrap, self.prefix + topic)

    async def event_ids(self) -> list[UUID]:
        """Ids of the store's events in order of position."""
        conn = await self.connect()
        return [row[0] for row in await (await conn.execute("SELECT id FROM events ORDER BY position")).fetchall()]

    async def until_empty(self, seconds: float = 60) -> None:
        """Until every mark is gone: what was committed before has been published."""
        conn = await self.connect()

        async def empty() -> bool:
            cursor = await conn.execute("SELECT 1 FROM outbox LIMIT 1")
            return await cursor.fetchone() is None

        await until(empty, seconds, "marks are left")


class Running:
    """A relay running in this process."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.stopping = asyncio.Event()
        self.task = asyncio.create_task(relay.run(self.stopping))

    async def stop(self) -> float:
        """Stops it gracefully; seconds taken."""
        started = time.monotonic()
        self.stopping.set()
        await asyncio.wait_for(self.task, 60)
        return time.monotonic() - started


@dataclass
class RelayProcess:
    """A relay in a process of its own, to be killed or frozen."""

    process: asyncio.subprocess.Process

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 60)


@pytest.fixture
def outbox_database(postgres: PostgresServer) -> Databases:
    return postgres.clone("sample_outbox", _migrate)


@pytest.fixture
async def outbox(outbox_database: Databases, kafka: KafkaServer) -> AsyncIterator[Outbox]:
    prefix = kafka.prefix()
    kafka.create_topics(prefix, [NOTICES.name, *(one.topic.name for one in TOPICS)])
    async with contextlib.AsyncExitStack() as stack:
        outbox = Outbox(outbox_database, kafka, prefix, stack)
        yield outbox
        for running in outbox.relays:
            if not running.task.done():
                await running.stop()


@pytest.fixture
async def spawn(outbox: Outbox) -> AsyncIterator[Callable[..., Awaitable[RelayProcess]]]:
    """`await spawn(CRASH_AT="relay.after_ack")`: a relay process, killed after the test."""
    processes: list[RelayProcess] = []

    async def start(**environment: str) -> RelayProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("relay_process.py")),
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[3])]),
                "DATABASE_URL": outbox.url,
                "KAFKA_BOOTSTRAP": outbox.kafka.bootstrap,
                "TOPIC_PREFIX": outbox.prefix,
                **environment,
            },
        )
        processes.append(RelayProcess(process))
        return processes[-1]

    yield start
    for relay in processes:
        if relay.process.returncode is None:
            relay.process.kill()
            await relay.process.wait()


async def read_all(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    async with connected(consumer):
        await consumer._client._wait_on_metadata(topic)
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
    return await read(bootstrap, partitions)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60, why: str = "") -> None:
    """Wait on a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, why or "the condition did not come true in time"
        await asyncio.sleep(0.01)


def header(record: ConsumerRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


def key_of(record: ConsumerRecord) -> str:
    return (record.key or b"").decode()


def firsts(records: list[ConsumerRecord]) -> dict[str, list[int]]:
    """Per key the versions in the order of their first appearance."""
    seen: dict[str, list[int]] = {}
    for record in records:
        versions = seen.setdefault(key_of(record), [])
        if (version := int(header(record, "ce_sequence"))) not in versions:
            versions.append(version)
    return seen


def assert_published(records: list[ConsumerRecord], ids: list[UUID]) -> None:
    """I4 and I5: the ids in the topic are those of the store, first appearances in version order."""
    assert {UUID(header(r, "ce_id")) for r in records} == set(ids)
    for key, versions in firsts(records).items():
        assert versions == list(range(1, len(versions) + 1)), key


def assert_states(states: list[ConsumerRecord], events: list[ConsumerRecord]) -> None:
    """The newest state record of each stream is of its last version."""
    newest: dict[str, int] = {}
    for record in states:
        newest[key_of(record)] = max(newest.get(key_of(record), 0), int(header(record, "ce_sequence")))
    assert newest == {key: max(versions) for key, versions in firsts(events).items()}


async def put_profile(conn, id_: UUID | None = None, version: int = 1, value: str | None = '{"name":"a"}') -> UUID:
    """A state row with its mark, in one statement as services do."""
    id_ = id_ or uuid4()
    await conn.execute(
        "WITH row AS (INSERT INTO profile VALUES (%(id)s, %(version)s, %(value)s) ON CONFLICT (id) DO UPDATE SET "
        "version = excluded.version, value = excluded.value RETURNING id) "
        "INSERT INTO outbox (topic, key) SELECT %(topic)s, id FROM row",
        {"id": id_, "version": version, "value": value, "topic": PRACTITIONERS.name},
    )
    return id_
