"""Checkout in this process on a real database: people with real tokens, a provider on loopback, others' events."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
from pydantic import SecretStr
from services.checkout.tests.midtrans_server import SERVER_KEY, MidtransServer

from booking_contracts.decode import Record
from booking_contracts.envelope import Envelope
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.topics import SESSIONS
from booking_inbox import Consumer
from booking_inbox.reading import read
from booking_process.service import Mode, Service
from booking_web.application import create_app
from booking_web.testing import Issuer
from checkout.app import build
from checkout.settings import Settings
from checkout.timer import Timer

MANUAL_SECRET = "manual-secret"
PATIENCE = 90.0
PRICE = {"amount": 250_000, "currency": "IDR"}


@dataclass
class Caller:
    """A person with a token."""

    http: httpx2.AsyncClient
    headers: dict[str, str]
    id: UUID

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers={**self.headers, **named})

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.call("POST", path, body, **headers)

    async def put(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.call("PUT", path, body, **headers)


@dataclass
class Rig:
    """The service under test."""

    service: Service
    http: httpx2.AsyncClient
    issuer: Issuer
    provider: MidtransServer
    owner_url: str
    consumer: Consumer

    def caller(self, *roles: str, sub: UUID | None = None, **claims: Any) -> Caller:
        sub = sub or uuid4()
        return Caller(self.http, self.issuer.bearer(*roles, sub=sub, **claims), sub)

    async def shop(self, **product: Any) -> "Shop":
        """An admin, a product, its practitioner and a member, all new."""
        admin, member = self.caller("admin"), self.caller("member", name="Sari", email="sari@example.com")
        practitioner = self.caller("practitioner")
        shop = Shop(self, admin, member, practitioner, uuid4(), f"tier-{uuid4().hex[:8]}")
        await shop.offer(**product)
        await shop.introduce(practitioner.id)
        return shop

    async def step(self, timer: str) -> int:
        """What a timer does in one look."""
        found = next(w for w in self.service.workers if w.name == timer)
        assert isinstance(found, Timer)
        return await found._step()

    async def notify(self, body: dict[str, Any], provider: str = "midtrans", **headers: str) -> httpx2.Response:
        """A provider's notification, signed if it is `manual`."""
        raw = json.dumps(body).encode()
        if provider == "manual" and "X-Signature" not in headers:
            headers["X-Signature"] = signature(raw)
        headers = {"Content-Type": "application/json", **headers}
        return await self.http.post(f"/v1/payments/{provider}/notifications", content=raw, headers=headers)

    async def take(self, *records: Record) -> list[str]:
        """What the consumer does with these records, one transaction each; how each was taken."""
        outcomes = []
        for record in records:
            topic = self.consumer.inbox.topics[record.topic]
            async with self.service.database.transaction() as conn:
                taken = await self.consumer.inbox.receive(conn, read(record, sequenced=topic.sequenced))
            outcomes.append(taken.outcome)
        return outcomes

    async def rows(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        """Straight from the database, as its owner."""
        async with await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True) as conn:
            cursor = await conn.execute(query.encode(), params)
            return await cursor.fetchall() if cursor.description else []

    async def types(self, stream_id: Any) -> list[str]:
        """A stream's event types, in order."""
        rows = await self.rows("SELECT type FROM events WHERE stream_id = %s ORDER BY version", str(stream_id))
        return [row[0] for row in rows]

    async def overdue(self, transaction_id: str) -> None:
        """Let a Transaction's time to pay have run out long ago, for the timer that looks at the read row."""
        await self.rows(
            "UPDATE payment_session SET check_at = now() - interval '1 day' WHERE transaction_id = %s", transaction_id
        )
        await self.rows("UPDATE transaction SET expires_at = now() - interval '1 day' WHERE id = %s", transaction_id)


@dataclass
class Shop:
    """One story's people and product; every story brings its own, so stories never meet."""

    rig: Rig
    admin: Caller
    member: Caller
    practitioner: Caller
    product: UUID
    tier: str
    sold: list[str] = field(default_factory=list)

    async def offer(self, **changes: Any) -> httpx2.Response:
        body = {"name": "Konseling", "kind": "counseling", "tier": self.tier, "price": PRICE, **changes}
        answer = await self.admin.put(f"/v1/products/{self.product}", body)
        assert answer.is_success, answer.text
        return answer

    async def introduce(self, practitioner: UUID, **changes: Any) -> httpx2.Response:
        body = {"name": "Budi", "tiers": [self.tier], "active": True, **changes}
        answer = await self.admin.put(f"/v1/practitioners/{practitioner}", body)
        assert answer.is_success, answer.text
        return answer

    async def buy(self, **headers: str) -> httpx2.Response:
        body = {"product_id": str(self.product), "practitioner_id": str(self.practitioner.id)}
        return await self.member.post("/v1/transactions", body, **headers)

    async def bought(self) -> dict[str, Any]:
        answer = await self.buy()
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def pay(self, transaction: dict[str, Any], **more: Any) -> httpx2.Response:
        return await self.rig.notify(self.rig.provider.notification(transaction["id"], **more))

    async def paid(self) -> dict[str, Any]:
        transaction = await self.bought()
        answer = await self.pay(transaction)
        assert answer.status_code == 200, answer.text
        return await self.seen(transaction)

    async def seen(self, transaction: dict[str, Any]) -> dict[str, Any]:
        answer = await self.member.get(f"/v1/transactions/{transaction['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()


def manual(transaction_id: str, status: str = "paid", amount: int = 250_000, **more: Any) -> dict[str, Any]:
    """The body of a `manual` notification."""
    body = {"notification_id": str(uuid4()), "transaction_id": transaction_id, "status": status}
    return {**body, "amount": amount, "currency": "IDR", **more}


def signature(raw: bytes) -> str:
    return hmac.new(MANUAL_SECRET.encode(), raw, hashlib.sha256).hexdigest()


def session_record(
    event: Event, version: int, *, actor: str = "system", at: datetime | None = None, session_id: UUID | None = None
) -> Record:
    """A record of the sessions topic as consultation's relay sends it."""
    key = session_id or event.session_id  # pyright: ignore[reportAttributeAccessIssue]
    meta = Envelope(
        id=uuid7(),
        source=SESSIONS.source,
        type=type(event).full_type(),
        subject=str(key),
        time=at or datetime.now(UTC),
        sequence=version,
        actor=actor,
        causation_id=None,
        correlation_id=str(uuid4()),
        traceparent=None,
        dataschema=None,
    )
    return Record(SESSIONS.name, 0, 0, str(key).encode(), event.to_json().encode(), tuple(meta.headers()), 0)


async def until(condition: Callable[[], Awaitable[Any]], patience: float = PATIENCE) -> Any:
    """The condition's first true value; AssertionError when it stays false."""
    deadline = time.monotonic() + patience
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"not within {patience} s: {condition}"
        await asyncio.sleep(0.02)
    return value


def settings(databases: Any, provider: str, **more: Any) -> Settings:
    """The service's settings on test servers."""
    return Settings(
        **{
            "database_url": databases.app_url,
            "database_owner_url": databases.owner_url,
            "database_allow_unsafe": True,
            "database_pool_size": 20,
            "database_pool_timeout_seconds": 30,
            "kafka_bootstrap": "127.0.0.1:1",
            "jwt_issuer": "https://identity.test",
            "jwt_jwks_url": "https://identity.test/jwks.json",
            "rate_limit_per_minute": 0,
            "midtrans_api_url": provider,
            "midtrans_snap_url": provider,
            "midtrans_server_key": SecretStr(SERVER_KEY),
            "manual_secret": SecretStr(MANUAL_SECRET),
            "retry_base_seconds": 0.001,
            "retry_most_seconds": 0.001,
            "timer_seconds": 0.1,
            **more,
        }
    )


@asynccontextmanager
async def rig_of(made: Settings, provider: MidtransServer, *, mode: Mode = "api") -> AsyncGenerator[Rig]:
    """The service running in this process."""
    service = build(made)
    consumer = next(worker for worker in service.workers if isinstance(worker, Consumer))
    app = create_app(service, mode=mode)
    issuer = Issuer.install(app, made)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://checkout", timeout=30) as http:
            assert made.database_owner_url is not None
            yield Rig(service, http, issuer, provider, made.database_owner_url, consumer)
