"""What the calendar's tests share: sessions that tell their events, a topic to tell them in, the running service."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from psycopg.rows import dict_row
from pydantic import SecretStr
from tests.rigs.records import record_of as shared_record_of
from tests.rigs.service import Caller, Served, Tables, served
from tests.rigs.waiting import until

from booking_contracts import sessions as told
from booking_contracts.deadlines import connected
from booking_contracts.decode import Record
from booking_contracts.event import Event
from booking_contracts.ids import partition_of, uuid7
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, SESSIONS, TRANSACTIONS, USER_SCHEDULE, Topic
from booking_inbox import Tuning
from booking_process.service import Service
from calendar_projector.app import build
from calendar_projector.projection.consumer import fold
from calendar_projector.projection.slot import Slot, merge
from calendar_projector.settings import Settings

WHEN = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
MEET = "https://meet.google.com/abc-defg-hij"


def record_of(topic: Topic, key: UUID, event: Event, version: int, *, at: datetime = WHEN) -> Record:
    """A record as the owner's relay sends it."""
    return shared_record_of(topic, key, event, version, at=at + timedelta(minutes=version))


@dataclass
class Story:
    """A session that tells its events, one record each, in the versions 1, 2, 3 and so on."""

    id: UUID = field(default_factory=uuid7)
    member: UUID = field(default_factory=uuid4)
    practitioner: UUID = field(default_factory=uuid4)
    transaction: UUID = field(default_factory=uuid7)
    version: int = 0
    schedule_version: int = 0
    status: str = ""
    times: dict[str, Any] = field(default_factory=dict[str, Any])
    records: list[Record] = field(default_factory=list[Record])
    at: datetime = WHEN

    def requested(self) -> "Story":
        return self._tell(
            told.ScheduleRequested, "pending_negotiation", kind="counseling", respond_by=WHEN, auto_start=False
        )

    def scheduled(self, on: date = date(2026, 12, 1), start: int = 9, link: str = MEET) -> "Story":
        self.schedule_version += 1
        starts_at = datetime(on.year, on.month, on.day, start, tzinfo=UTC) - timedelta(hours=7)
        previous, self.times = (
            self.times,
            {
                "scheduled_date": on,
                "time_start": time(start),
                "time_end": time(start + 1),
                "timezone": "Asia/Jakarta",
                "starts_at": starts_at,
                "ends_at": starts_at + timedelta(hours=1),
                "meeting_link": link,
            },
        )
        more = {**self.times, "schedule_version": self.schedule_version, "ends_next_day": False}
        if not previous:
            return self._tell(told.SessionScheduled, "scheduled", **more)
        before = {name: previous[name] for name in ("starts_at", "ends_at", "meeting_link")}
        return self._tell(told.SessionRescheduled, "scheduled", previous=told.PreviousSchedule(**before), **more)

    def changed(self, to: UUID) -> "Story":
        self.schedule_version += 1
        before, self.practitioner = self.practitioner, to
        previous_status, self.times = self.status, {}
        return self._tell(
            told.PractitionerChanged,
            "pending_negotiation",
            previous_practitioner_id=before,
            previous_status=previous_status,
            respond_by=WHEN,
            schedule_version=self.schedule_version,
        )

    def started(self) -> "Story":
        return self._tell(told.SessionStarted, "on_progress", started_at=WHEN)

    def completed(self) -> "Story":
        return self._tell(told.ResultUploaded, "completed", result_id=uuid4(), has_link=True, has_notes=False)

    def canceled(self) -> "Story":
        self.schedule_version += 1
        return self._tell(
            told.SessionCanceled,
            "canceled",
            reason_code="canceled_by_member",
            previous_status=self.status,
            schedule_version=self.schedule_version,
        )

    def failed(self) -> "Story":
        self.schedule_version += 1
        return self._tell(
            told.SessionFailed,
            "failed",
            reason_code="technical",
            previous_status=self.status,
            schedule_version=self.schedule_version,
        )

    def row(self) -> dict[str, Any] | None:
        """What `user_schedule` must show of it (C1): the reference model of these tests."""
        if not any(b"SessionScheduled" in dict(r.headers)["ce_type"] for r in self.records):  # type: ignore[operator]
            return None
        names = ("scheduled_date", "time_start", "time_end", "timezone", "starts_at", "ends_at", "meeting_link")
        return {
            "session_id": self.id,
            "transaction_id": self.transaction,
            "practitioner_id": self.practitioner,
            "user_id": self.member,
            "status": self.status,
            "schedule_version": self.schedule_version,
            **{name: self.times.get(name) for name in names},
        }

    def unknown(self) -> "Story":
        """An event of a type that this release does not know."""
        self.started()
        self.status = "scheduled"
        last = self.records[-1]
        headers = tuple(
            (name, b"com.booking.consultation.SessionDreamt.v1" if name == "ce_type" else value)
            for name, value in last.headers
        )
        self.records[-1] = replace(last, headers=headers)
        return self

    def _tell(self, event_class: Callable[..., Event], status: str, **more: Any) -> "Story":
        self.version += 1
        self.status = status
        event = event_class(
            session_id=self.id,
            transaction_id=self.transaction,
            user_id=self.member,
            practitioner_id=self.practitioner,
            status=status,
            **more,
        )
        self.records.append(record_of(SESSIONS, self.id, event, self.version, at=self.at))
        return self


@pytest.fixture
def story() -> type[Story]:
    return Story


@pytest.fixture
def make_record() -> Callable[..., Record]:
    return record_of


@pytest.fixture(name="until")
def until_() -> Callable[..., Awaitable[Any]]:
    return until


@dataclass
class World(Tables):
    """A database and topics of its own, and what may run on them."""

    settings: Settings
    prefix: str
    producer: AIOKafkaProducer | None

    async def tell(self, *records: Record) -> None:
        """Append these records to their topics, by the partition of their keys."""
        assert self.producer is not None
        waiting = []
        for record in records:
            partition = partition_of(record.key or b"", SESSIONS.partitions)
            waiting.append(
                await self.producer.send(
                    self.prefix + record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    partition=partition,
                )
            )
        await asyncio.gather(*waiting)

    async def shown(self) -> dict[UUID, dict[str, Any]]:
        """`user_schedule` by session."""
        async with await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True) as conn:
            cursor = conn.cursor(row_factory=dict_row)
            await cursor.execute("SELECT * FROM user_schedule")
            return {row["session_id"]: row for row in await cursor.fetchall()}

    async def shows(self, stories: list[Story]) -> dict[UUID, dict[str, Any]]:
        """Wait until the calendar is exactly what these stories make of it."""
        wanted = {s.id: row for s in stories if (row := s.row()) is not None}

        async def equal() -> bool:
            return await self.shown() == wanted

        try:
            await until(equal)
        except AssertionError:
            assert await self.shown() == wanted
        return wanted

    def service(self, **more: Any) -> Service:
        """The service, wired as its composition root wires it."""
        return build(self.settings.model_copy(update=more))

    def running(self, mode: Any, **more: Any) -> AbstractAsyncContextManager["Running"]:
        """A process of the service, in this one."""
        return served(self.service(**more), mode=mode, of=Running)


@dataclass
class Running(Served):
    """A running service and how to call it."""

    async def get(self, path: str, *roles: str, sub: UUID | None = None, **headers: str) -> httpx2.Response:
        return await self.call("GET", path, *roles, sub=sub, **headers)

    async def call(
        self, method: str, path: str, *roles: str, sub: UUID | None = None, body: Any = None, **headers: str
    ) -> httpx2.Response:
        caller = self.caller(*roles, sub=sub) if roles else Caller(self.http, {}, uuid4())
        return await caller.call(method, path, body, **headers)


QUICK = Tuning(
    first_backoff=0.01,
    backoff_cap=0.2,
    tick=0.1,
    stall_after=5,
    grace=3,
    session_timeout=2.5,
    heartbeat_interval=0.5,
    batch_size=500,
)


@pytest.fixture
def quick() -> Tuning:
    return QUICK


@pytest.fixture
async def world(fresh_database, kafka) -> AsyncIterator[World]:
    """A fresh database and fresh topics."""
    databases = fresh_database("calendar")
    prefix = kafka.prefix()
    kafka.create_topics(
        prefix, [t.name for t in (SESSIONS, TRANSACTIONS, ERASURES, PRACTITIONERS, CONTACTS, USER_SCHEDULE)]
    )
    settings = settings_for(databases, kafka.bootstrap, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    async with connected(producer):
        yield World(databases.owner_url, settings, prefix, producer)


@pytest.fixture(scope="module")
async def ground(fresh_database) -> AsyncIterator["Ground"]:
    """The api on a database of the test file's own, without any broker; stories are merged by the real merge."""
    databases = fresh_database("calendar")
    world = World(databases.owner_url, settings_for(databases, "127.0.0.1:1", ""), "", None)
    async with world.running("api") as running:
        yield Ground(world, running)


@dataclass
class Ground:
    """A running api, and a way to give it rows."""

    world: World
    running: Running

    async def put(self, *stories: Story) -> None:
        """What an engine would do with these sessions' records."""
        async with self.running.service.database.transaction() as conn:
            merged = await merge(
                conn, Slot("a"), list(fold([r for one in stories for r in one.records]).patches.values())
            )
        assert merged.sessions == {str(one.id) for one in stories}


def settings_for(databases, bootstrap: str, prefix: str) -> Settings:
    """Settings on test servers."""
    return Settings.documented().model_copy(
        update={
            "database_url": databases.app_url,
            "database_owner_url": databases.owner_url,
            "database_allow_unsafe": True,
            "kafka_bootstrap": bootstrap,
            "topic_prefix": prefix,
            "rate_limit_per_minute": 0,
            "jwt_jwks_url": "https://127.0.0.1:1/",
            "feed_secret": SecretStr("a secret of the tests, long enough"),
            "public_url": "https://calendar.test",
            "switch_patience_seconds": 3.0,
        }
    )


@pytest.fixture
def as_json() -> Callable[[Any], str]:
    return json.dumps
