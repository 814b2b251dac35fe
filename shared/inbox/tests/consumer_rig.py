"""What the consumer's tests share: real records, a database whose `applied` table counts every effect, and waiting."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.rigs.records import record_of

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded
from booking_contracts.directory import PractitionerProfile
from booking_contracts.event import Event
from booking_contracts.ids import partition_of
from booking_contracts.sessions import SessionStarted
from booking_contracts.topics import ASSESSMENTS, PRACTITIONERS, SESSIONS, Topic
from booking_inbox import Apply, Consumer, InboxRouter, Tuning
from booking_process.database import Database
from booking_process.migrations import ddl

WHEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
QUICK = Tuning(
    first_backoff=0.01,
    backoff_cap=0.1,
    tick=0.1,
    stall_after=5.0,
    grace=3.0,
    session_timeout=2.5,
    heartbeat_interval=0.5,
    fetch_wait=0.1,
)
NAME = "calendar"

Headers = list[tuple[str, bytes | None]]

TABLE = """
CREATE TABLE applied (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL, key text NOT NULL, version bigint, kind text NOT NULL, by text NOT NULL
);
GRANT SELECT, INSERT ON applied TO {app};
"""


@dataclass(frozen=True)
class Message:
    """One record to produce; the partition follows the key as in Java unless given."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None

    def changed(self, **changes: Any) -> "Message":
        return replace(self, **changes)

    def with_header(self, name: str, value: bytes | None) -> "Message":
        return self.changed(headers=[(n, value if n == name else v) for n, v in self.headers])

    @property
    def to(self) -> int:
        if self.partition is not None:
            return self.partition
        return partition_of(self.key or b"", self.topic.partitions)


def session_event(key: UUID, version: int, **header: bytes | None) -> Message:
    """An event of a session stream."""
    event = SessionStarted(
        session_id=key, transaction_id=key, user_id=key, practitioner_id=key, status="on_progress", started_at=WHEN
    )
    return _message(SESSIONS, key, version, event, header)


def profile(key: UUID, version: int, *, tombstone: bool = False) -> Message:
    """A practitioner's profile as it is now, or its end."""
    event = PractitionerProfile(id=key, name=f"v{version}", tiers=("gold",), timezone="Asia/Jakarta", active=True)
    message = _message(PRACTITIONERS, key, version, event, {})
    return message.changed(value=None) if tombstone else message


def assessment(key: UUID, user: UUID | None = None) -> Message:
    """What the assessment service tells, without a sequence."""
    event = AssessmentCompleted(assessment_id=key, user_id=user or key, completed_at=WHEN)
    return _message(ASSESSMENTS, key, None, event, {})


def _message(topic: Topic, key: UUID, version: int | None, event: Event, header: dict[str, bytes | None]) -> Message:
    record = record_of(topic, key, event, version, at=WHEN)
    return Message(topic, record.key, record.value, [(n, header.get(n, v)) for n, v in record.headers])


async def record_applied(conn: psycopg.AsyncConnection, item: Decoded, by: str = "") -> None:
    """The apply of most tests: one row for each effect, so a double effect is two rows."""
    await conn.execute(
        "INSERT INTO applied (topic, key, version, kind, by) VALUES (%s, %s, %s, %s, %s)",
        (item.record.topic, item.meta.subject, item.meta.sequence, item.kind, by),
    )


@dataclass
class Rig:
    """One test's database, topics and clients."""

    databases: Any
    bootstrap: str
    prefix: str
    producer: AIOKafkaProducer
    database: Database
    name: str = NAME

    async def send(self, *messages: Message) -> list[int]:
        """Produce in order, each acknowledged; the offsets."""
        offsets: list[int] = []
        for m in messages:
            sent = await self.producer.send_and_wait(
                self.prefix + m.topic.name, key=m.key, value=m.value, headers=m.headers, partition=m.to
            )
            offsets.append(sent.offset)
        return offsets

    def consumer(
        self,
        apply: Apply = record_applied,
        *,
        topics: tuple[Topic, ...] = (SESSIONS,),
        tuning: Tuning = QUICK,
        database: Database | None = None,
        **options: Any,
    ) -> Consumer:
        router = InboxRouter()
        router.subscriber(*topics)(apply)
        return Consumer(
            self.name,
            router,
            database=database or self.database,
            bootstrap=self.bootstrap,
            topic_prefix=self.prefix,
            group_id=options.pop("group_id", self.prefix + self.name),
            tuning=tuning,
            **options,
        )

    @asynccontextmanager
    async def consuming(self, apply: Apply = record_applied, **options: Any) -> AsyncGenerator[Consumer]:
        """A consumer that runs until the block ends, then stops gracefully."""
        async with running(self.consumer(apply, **options)) as consumer:
            yield consumer

    async def sql(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        async with self.database.autocommit() as conn:
            cursor = await conn.execute(query, params or None)  # pyright: ignore[reportArgumentType]
            return await cursor.fetchall() if cursor.description else []

    async def applied(self, key: UUID | None = None) -> list[int]:
        """The versions applied (of a key), in order of their effects."""
        where = "" if key is None else "WHERE key = %s"
        return [row[0] for row in await self.sql(f"SELECT version FROM applied {where} ORDER BY seq", *_given(key))]

    async def effects(self) -> int:
        return (await self.sql("SELECT count(*) FROM applied"))[0][0]

    async def held(self, key: UUID | None = None) -> list[tuple[str, int | None]]:
        """(reason, version) of what is held now, oldest first."""
        where = "" if key is None else "AND key = %s"
        sql = f"SELECT reason, version FROM held WHERE settled_at IS NULL {where} ORDER BY held_at, id"
        return await self.sql(sql, *_given(key))

    async def version(self, key: UUID, topic: Topic = SESSIONS) -> int:
        found = await self.sql("SELECT version FROM inbox WHERE topic = %s AND key = %s", topic.name, str(key))
        return found[0][0] if found else 0

    async def committed(self, topic: Topic = SESSIONS) -> int:
        """The sum of the group's committed offsets: how many records are settled for good, as one partition's."""
        async with self._client() as client:
            return await self._committed(client, topic)

    async def end(self, topic: Topic = SESSIONS) -> int:
        async with self._client() as client:
            return sum((await client.end_offsets(self._partitions(topic))).values())

    async def caught_up(self, topic: Topic = SESSIONS) -> bool:
        """Every record of the topic is settled and committed."""
        async with self._client() as client:
            ends = await client.end_offsets(self._partitions(topic))
            return await self._committed(client, topic) == sum(ends.values())

    async def _committed(self, client: AIOKafkaConsumer, topic: Topic) -> int:
        return sum([await client.committed(tp) or 0 for tp in self._partitions(topic)])

    def _partitions(self, topic: Topic) -> list[TopicPartition]:
        return [TopicPartition(self.prefix + topic.name, p) for p in range(topic.partitions)]

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[AIOKafkaConsumer]:
        """One that asks in the group's name and never joins it; a new one each time, since topics are made anew too."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=self.prefix + self.name, enable_auto_commit=False
        )
        async with connected(client):
            yield client


@asynccontextmanager
async def running(consumer: Any) -> AsyncGenerator[Any]:
    """Run a worker until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@asynccontextmanager
async def rig_of(postgres: Any, kafka: Any) -> AsyncGenerator[Rig]:
    """A rig on the run's servers."""
    databases = postgres.create_database(migrate=_migrate)
    prefix = kafka.prefix()
    kafka.create_topics(prefix, [SESSIONS.name, PRACTITIONERS.name, ASSESSMENTS.name])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_request_size=2_000_000, linger_ms=0)
    database = Database(databases.app_url)
    try:
        async with connected(producer):
            yield Rig(databases, kafka.bootstrap, prefix, producer, database)
    finally:
        await database.close()


def _migrate(databases: Any) -> None:
    role = databases.app_url.split("://")[1].split(":")[0]
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        for text in (ddl("booking_inbox", "inbox_v1"), TABLE):
            conn.execute(text.replace("{app}", f'"{role}"'))  # pyright: ignore[reportArgumentType, reportCallIssue]


def _given(key: UUID | None) -> tuple[str, ...]:
    return () if key is None else (str(key),)
