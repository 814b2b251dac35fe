"""`python -m notifier all` as it is deployed, on real Kafka: the whole way, crashes at exact points, replays."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from psycopg.rows import dict_row
from services.notifier.tests.given import Case
from services.notifier.tests.providers import Inbox, Meta, cloud_api, smtp_server
from services.notifier.tests.receivers import receiving
from tests.rigs.topics import read

from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded, Record, decode
from booking_contracts.topics import NOTIFICATIONS, TOPICS
from booking_local.servers.ports import free_port
from notifier.webhooks.signing import new_secret

pytestmark = pytest.mark.servers


@dataclass
class Deployed:
    """One notifier process (or one after the other) with its topics, database and providers."""

    environment: dict[str, str]
    databases: Any
    bootstrap: str
    prefix: str
    inbox: Inbox
    meta: Meta
    port: int
    log: Path
    http: httpx2.AsyncClient
    process: asyncio.subprocess.Process | None = None
    sent: list[Record] = field(default_factory=list)

    async def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "notifier", "all", env={**self.environment, **environment}, stdout=log, stderr=log
            )
        await self.until(self.is_ready)

    async def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"the notifier ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        with suppress(httpx2.HTTPError):
            return (await self.http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
        return False

    async def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)

    async def publish(self, *records: Record) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        async with connected(producer):
            for record in records:
                await producer.send_and_wait(
                    self.prefix + record.topic, value=record.value, key=record.key, headers=list(record.headers)
                )
        self.sent += records

    async def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.databases.owner_url, autocommit=True) as conn:
            cursor = conn.cursor(row_factory=dict_row)
            await cursor.execute(sql.encode(), parameters)
            return await cursor.fetchall()

    async def until(self, condition: Callable[[], Awaitable[Any] | Any], seconds: float = 120.0) -> Any:
        looked = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = condition()
                    found = await found if asyncio.iscoroutine(found) else found
                    if found:
                        return found
                    looked += 1
                    await asyncio.sleep(0.05)
        except TimeoutError:
            outbox = await self.rows("SELECT topic, count(*) FROM outbox GROUP BY 1")
            log = self.log.read_text()[-4000:]
            raise AssertionError(
                f"waited {seconds} s in vain, looked {looked} times, outbox {outbox}:\n{log}"
            ) from None

    async def caught_up(self) -> bool:
        """Whether the consumer has committed every offset that there is."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id="notifier", enable_auto_commit=False)
        async with connected(consumer):
            for topic in {record.topic for record in self.sent}:
                partitions = [TopicPartition(self.prefix + topic, n) for n in range(6)]
                ends = await consumer.end_offsets(partitions)
                for partition, end in ends.items():
                    if end > 0 and (await consumer.committed(partition) or 0) < end:
                        return False
            return True

    async def rewind(self) -> None:
        """Reset the consumer's positions to the beginning, as an operator might (F88)."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id="notifier", enable_auto_commit=False)
        async with connected(consumer):
            partitions = [TopicPartition(self.prefix + t.name, n) for t in TOPICS for n in range(t.partitions)]
            consumer.assign(partitions)
            await consumer.commit({partition: OffsetAndMetadata(0, "") for partition in partitions})

    async def published(self) -> list[Decoded]:
        """Everything on the notifications topic, decoded by the contract."""
        partitions = [TopicPartition(self.prefix + NOTIFICATIONS.name, n) for n in range(NOTIFICATIONS.partitions)]
        records = [
            Record(NOTIFICATIONS.name, r.partition, r.offset, r.key, r.value, tuple(r.headers), r.timestamp)
            for r in await read(self.bootstrap, partitions)
        ]
        return [decode(record) for record in records]


Deploy = Callable[..., Awaitable[Deployed]]


@pytest.fixture
async def deploy(fresh_database: Any, kafka: Any, tmp_path: Path) -> AsyncIterator[Deploy]:
    """`await deploy(CRASH_AT="...")`: topics, a database, providers, and a running notifier."""
    async with AsyncExitStack() as stack:

        async def deploy(**environment: str) -> Deployed:
            prefix, port, databases = kafka.prefix(), free_port(), fresh_database("notifier")
            kafka.create_topics(prefix)
            inbox = await stack.enter_async_context(smtp_server(Inbox()))
            meta = await stack.enter_async_context(cloud_api(Meta()))
            base = {
                **os.environ,
                "DATABASE_URL": databases.app_url,
                "DATABASE_ALLOW_UNSAFE": "true",
                "KAFKA_BOOTSTRAP": kafka.bootstrap,
                "TOPIC_PREFIX": prefix,
                "HTTP_PORT": str(port),
                "SMTP_PORT": str(inbox.port),
                "WHATSAPP_API_URL": meta.url,
                "WHATSAPP_PACE_SECONDS": "0",
                "SENDING_LEASE_SECONDS": "2",
                "EMAIL_AMBIGUOUS_WAIT_SECONDS": "0.5",
                "WHATSAPP_AMBIGUOUS_WAIT_SECONDS": "0.5",
            }
            http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, verify=False, timeout=30))
            log = tmp_path / "notifier.log"
            deployed = Deployed(base, databases, kafka.bootstrap, prefix, inbox, meta, port, log, http)

            async def end() -> None:
                if deployed.process is not None and deployed.process.returncode is None:
                    deployed.process.kill()
                    await deployed.process.wait()

            stack.push_async_callback(end)
            await deployed.start(**environment)
            return deployed

        yield deploy


async def test_deployed__a_published_event_becomes_messages_and_published_steps(deploy):
    """The whole way: Kafka, ledger, providers, and back to Kafka through the outbox (N1, N3)."""
    case, deployed = Case(), await deploy()
    await deployed.publish(
        *case.contacts(), case.profile(), case.created(), case.paid(), case.requested(), case.scheduled()
    )
    await deployed.until(lambda: len(deployed.inbox.mails) == 3 and len(deployed.meta.messages) == 3)
    assert sorted(str(mail["Subject"])[:8] for _, mail in deployed.inbox.mails) == ["Pembayar", "Perminta", "Sesi kon"]

    async def all_published() -> list[Decoded] | None:
        steps = await deployed.published()  # at least once: a step may be there twice
        return steps if len({s.meta.id for s in steps if s.meta.type.endswith("NotificationSent.v1")}) == 6 else None

    steps = await deployed.until(all_published)
    assert {step.kind for step in steps} == {"event"}
    assert "budi" not in "".join(str(step.record) for step in steps).lower(), "no contact data in the topic (E4)"
    assert await deployed.stop() == 0


async def test_rewound__a_replay_of_everything_sends_nothing(deploy):
    """N3, F41, F88: offsets reset to the beginning, then even the version rows deleted by an operator."""
    case, deployed = Case(), await deploy()
    await deployed.publish(*case.contacts(), case.profile(), case.requested(), case.scheduled())
    await deployed.until(lambda: len(deployed.inbox.mails) == 2 and len(deployed.meta.messages) == 2)
    await deployed.until(deployed.caught_up)
    for forgotten in (False, True):
        await deployed.stop()
        await deployed.rewind()
        if forgotten:
            await deployed.rows("DELETE FROM inbox RETURNING key")
        await deployed.start()
        await deployed.until(deployed.caught_up)
    assert len(deployed.inbox.mails) == 2
    assert len(deployed.meta.messages) == 2
    assert {r["attempts"] for r in await deployed.rows("SELECT attempts FROM notification WHERE state = 'sent'")} == {1}


async def test_new_database__history_is_skipped_and_what_comes_is_sent(deploy):
    """N3: a new, empty notifier mails no history."""
    case, deployed = Case(), await deploy()
    await deployed.stop()
    await deployed.rows("UPDATE installation SET send_from = clock_timestamp() RETURNING 1")
    long_ago = (await deployed.rows("SELECT send_from - interval '1 hour' AS at FROM installation"))[0]["at"]
    await deployed.publish(*case.contacts(), case.requested(at=long_ago))
    await deployed.start()
    await deployed.publish(case.scheduled())
    await deployed.until(lambda: len(deployed.inbox.mails) == 1 and len(deployed.meta.messages) == 1)
    rows = await deployed.rows("SELECT state, reason FROM notification WHERE template = 'session_requested'")
    assert rows == [{"state": "skipped", "reason": "before_send_from"}] * 2


@pytest.mark.parametrize(("point", "mails"), [("notifier.before_send", 1), ("notifier.after_send", 2)])
async def test_killed_around_a_send__the_message_is_ambiguous_and_tried_once_more(deploy, point, mails):
    """N3, F86: `sending` was committed before; after the restart one more try with the same Message-ID."""
    case, deployed = Case(), await deploy(CRASH_AT=point)
    await deployed.publish(case.contact(case.practitioner, phone=None, email="sari@example.com"), case.requested())
    assert await asyncio.wait_for(deployed.process.wait(), 60) == -signal.SIGKILL
    assert [r["state"] for r in await deployed.rows("SELECT state FROM notification WHERE attempts = 1")] == ["sending"]
    await deployed.start()
    row = await deployed.until(
        lambda: deployed.rows(
            """SELECT attempts, ambiguities FROM notification
               WHERE channel = 'email' AND state = 'sent' AND template = 'session_requested'"""
        )
    )
    assert (row[0]["attempts"], row[0]["ambiguities"]) == (2, 1)
    assert len(deployed.inbox.mails) == mails
    assert len({str(mail["Message-ID"]) for _, mail in deployed.inbox.mails}) == 1


_REGISTERED = """
INSERT INTO webhook_endpoint (id, url, event_types, status, secret, not_before, created_at)
VALUES (uuidv7(), %s, %s, 'enabled', %s, now(), now()) RETURNING id"""


@pytest.mark.parametrize(("point", "copies"), [("webhook.before_send", 1), ("webhook.after_send", 2)])
async def test_killed_around_a_webhook__it_is_delivered_again_with_the_same_id_and_never_lost(deploy, point, copies):
    """At least once (promises.md): `sending` was committed before; the receiver tells copies by the id."""
    case, secret = Case(), new_secret()
    short = {"WEBHOOK_ALLOW_PRIVATE": "true", "WEBHOOK_TIMEOUT_SECONDS": "1"}
    async with receiving() as receiver:
        deployed = await deploy(CRASH_AT=point, **short)
        await deployed.rows(_REGISTERED, receiver.url, ["com.booking.checkout.TransactionCreated.v1"], secret)
        await deployed.publish(case.created())
        assert await asyncio.wait_for(deployed.process.wait(), 60) == -signal.SIGKILL
        assert await deployed.rows("SELECT status FROM webhook_delivery") == [{"status": "sending"}]
        await deployed.start(**short)
        (row,) = await deployed.until(
            lambda: deployed.rows("SELECT attempts, tries FROM webhook_delivery WHERE status = 'delivered'")
        )
    assert row == {"attempts": 2, "tries": 1}
    assert len(receiver.got) == copies
    assert len(set(receiver.ids())) == 1
    assert all(one.verified(secret)["type"] == "com.booking.checkout.TransactionCreated.v1" for one in receiver.got)
    log = await deployed.rows("SELECT reason FROM webhook_attempt ORDER BY number")
    assert [one["reason"] for one in log] == ["worker_died", None]
