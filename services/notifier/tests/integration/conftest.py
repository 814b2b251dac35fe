"""One notifier on a real database, a real SMTP server and a Cloud API that can break."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from services.notifier.tests.providers import Inbox, Meta, cloud_api, smtp_server
from tests.rigs.waiting import PATIENCE, until

from booking_contracts.decode import Record
from booking_contracts.topics import topic_named
from booking_inbox import Inbox as RecordInbox
from booking_inbox.reading import Poison, read
from booking_process.database import Database
from notifier.app import senders_of
from notifier.kafka import CONSUMER, router
from notifier.sending.pacing import RetryPolicy
from notifier.sending.worker import Sender
from notifier.settings import Settings

# `migrate` reads all settings, of which only the database's address matters to it.
ENVIRONMENT = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "JWT_ISSUER": "https://identity.test",
    "JWT_JWKS_URL": "https://identity.test/jwks.json",
    "SMTP_HOST": "127.0.0.1",
    "SMTP_TLS": "none",
    "MAIL_FROM": "Booking <no-reply@booking.test>",
    "WHATSAPP_PHONE_NUMBER_ID": "1",
    "WHATSAPP_TOKEN": "token",
    "WHATSAPP_APP_SECRET": "secret",
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "ADMIN_EMAILS": '["ops@booking.test", "lead@booking.test"]',
}


@pytest.fixture(scope="module", autouse=True)
def notifier_environment() -> Iterator[None]:
    """The settings that every process of the notifier needs, gone before another module of tests begins."""
    before = dict(os.environ)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    yield
    for name in ENVIRONMENT:
        if name not in before:
            os.environ.pop(name, None)


class Quick(Settings):
    """Settings whose first pauses, which production has fixed, are as short as tests can tell apart."""

    def retry_policy(self, **waits: Any) -> RetryPolicy:
        return replace(super().retry_policy(**waits), first_backoff=1.0, recover_every=0.5)


@dataclass
class Running:
    """A notifier at work, and what the tests look at."""

    database: Database
    owner_url: str
    inbox: Inbox
    meta: Meta
    settings: Settings
    records: RecordInbox = field(default_factory=lambda: RecordInbox(CONSUMER, router.subscribers))
    senders: list[Sender] = field(default_factory=list)

    async def tell(self, *records: Record) -> None:
        """Take records over as the consumer does: version row, apply, one transaction each."""
        for record in records:
            item = read(record, sequenced=topic_named(record.topic).sequenced)
            assert not isinstance(item, Poison), item.error
            async with self.database.transaction() as conn:
                await self.records.receive(conn, item)
        for sender in self.senders:
            sender.wake()

    async def query(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.database.autocommit() as conn:
            cursor = conn.cursor(row_factory=dict_row)
            await cursor.execute(sql.encode(), parameters)
            return await cursor.fetchall()

    async def execute_as_owner(self, sql: str, *parameters: Any) -> None:
        async with await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True) as conn:
            await conn.execute(sql.encode(), parameters)

    async def ledger(self, **where: Any) -> list[dict[str, Any]]:
        """Ledger rows by columns, oldest first."""
        conditions = " AND ".join(f"{name} = %s" for name in where) or "true"
        return await self.query(
            f"""SELECT id, cause_event_id, recipient_id, channel, template, state, reason, attempts, ambiguities,
                due_at, version, locale, provider_message_id
                FROM notification WHERE {conditions} ORDER BY due_at, id""",
            *(
                str(value) if isinstance(value, UUID) and name == "recipient_id" else value
                for name, value in where.items()
            ),
        )

    async def until(self, condition: Callable[[], Awaitable[Any] | Any], seconds: float = PATIENCE) -> Any:
        """Wait for a condition, never for a time."""
        return await until(condition, patience=seconds)

    async def settled(self, seconds: float = PATIENCE, **where: Any) -> list[dict[str, Any]]:
        """Wait until no chosen message is due and unsettled; the chosen rows."""

        async def done() -> list[dict[str, Any]] | None:
            rows = await self.ledger(**where)
            busy = [
                r
                for r in rows
                if r["state"] in ("pending", "sending") and r["due_at"] <= r["due_at"].now(r["due_at"].tzinfo)
            ]
            return rows if rows and not busy else None

        return await self.until(done, seconds)


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def notifier(fresh_database: Any) -> AsyncIterator[Start]:
    """`await notifier(pace=0)`: a database, both providers, and senders that run (unless `sending=False`)."""
    async with AsyncExitStack() as stack:

        async def start(*, sending: bool = True, mail_server: Inbox | None = None, **overrides: Any) -> Running:
            databases = fresh_database("notifier")
            inbox = await stack.enter_async_context(smtp_server(mail_server or Inbox()))
            meta = await stack.enter_async_context(cloud_api(Meta()))
            quick: dict[str, Any] = {
                "whatsapp_pace_seconds": 0.0,
                "email_ambiguous_wait_seconds": 0.2,
                "whatsapp_ambiguous_wait_seconds": 0.2,
                "smtp_port": inbox.port,
                "whatsapp_api_url": meta.url,
            }
            settings = Quick(database_url=databases.app_url, **{**quick, **overrides})
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            running = Running(database, databases.owner_url, inbox, meta, settings)
            if sending:
                await begin(running)
            return running

        async def begin(running: Running) -> None:
            running.senders = senders_of(running.settings, running.database, lambda: None)
            stop = asyncio.Event()
            tasks = [asyncio.create_task(sender.run(stop)) for sender in running.senders]

            async def end() -> None:
                stop.set()
                await asyncio.wait(tasks, timeout=10)
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                for sender in running.senders:
                    await sender.close()

            stack.push_async_callback(end)

        start.begin = begin  # type: ignore[attr-defined]
        yield start
