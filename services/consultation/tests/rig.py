"""What the integration tests share: the service in this process on a real database, callers with real tokens, and
other services' events, taken through the real consumer's rules or a real broker."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import httpx2
import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from booking_contracts.decode import Record
from booking_contracts.directory import PersonContact, PersonErased, PractitionerProfile
from booking_contracts.envelope import Envelope
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, TRANSACTIONS, Topic
from booking_contracts.transactions import (
    PractitionerAssigned,
    PractitionerReassigned,
    ProductSnapshot,
    RefundFailed,
    RefundRequested,
    TransactionCreated,
    TransactionPaid,
    TransactionRefunded,
)
from booking_inbox import Consumer
from booking_inbox.reading import read
from booking_process.service import Mode, Service
from booking_web.application import create_app
from consultation.app import build
from consultation.settings import Settings

ISSUER = "https://identity.test"
PRICE = Money(amount=250_000, currency="IDR")
PATIENCE = 90.0
MEET = "https://meet.google.com/abc-defg-hij"
DRIVE = "https://drive.google.com/file/d/1abc/view"


@cache
def signing_key() -> ec.EllipticCurvePrivateKey:
    """The identity provider's key of this run."""
    return ec.generate_private_key(ec.SECP256R1())


@contextmanager
def identity() -> Generator[str]:
    """An identity provider's key set on loopback; its address."""
    jwk = {**ECAlgorithm.to_jwk(signing_key().public_key(), as_dict=True), "kid": "test", "use": "sig", "alg": "ES256"}
    body = json.dumps({"keys": [jwk]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any):  # noqa: A002 - its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        server.shutdown()
        thread.join()


@cache
def token(person: UUID, *roles: str) -> str:
    """A token as the identity provider signs it."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "booking",
        "sub": str(person),
        "iat": now,
        "exp": now + 3600,
        "jti": str(uuid4()),
        "roles": list(roles),
    }
    return jwt.encode(claims, signing_key(), algorithm="ES256", headers={"kid": "test", "typ": "at+jwt"})


@dataclass
class Sold:
    """A Transaction of another service, told event by event."""

    member: UUID = field(default_factory=uuid4)
    practitioner: UUID = field(default_factory=uuid4)
    id: UUID = field(default_factory=uuid7)
    request_limit_minutes: int = 10_080
    auto_start: bool = False
    version: int = 0

    def _common(self) -> dict[str, Any]:
        return {"transaction_id": self.id, "user_id": self.member, "practitioner_id": self.practitioner}

    def created(self) -> TransactionCreated:
        return TransactionCreated(
            transaction_id=self.id,
            user_id=self.member,
            product=ProductSnapshot(id=uuid4(), name="Konseling", kind="counseling", tier="gold", duration_minutes=60),
            price=PRICE,
            provider="midtrans",
            reference=str(self.id),
            expires_at=datetime.now(UTC) + timedelta(days=1),
            request_limit_minutes=self.request_limit_minutes,
            auto_start=self.auto_start,
        )

    def assigned(self) -> PractitionerAssigned:
        return PractitionerAssigned(**self._common(), product_id=uuid4(), kind="counseling", tier="gold")

    def paid(self) -> TransactionPaid:
        return TransactionPaid(
            **self._common(),
            amount=PRICE,
            provider="midtrans",
            provider_payment_id=str(self.id),
            paid_at=datetime.now(UTC),
            kind="counseling",
            request_limit_minutes=self.request_limit_minutes,
            auto_start=self.auto_start,
        )

    def reassigned(self, to: UUID) -> PractitionerReassigned:
        before, self.practitioner = self.practitioner, to
        return PractitionerReassigned(
            **self._common(), previous_practitioner_id=before, reason_code="by_admin", reason_id=uuid4()
        )

    def refund_requested(self, review_id: UUID | None = None) -> RefundRequested:
        return RefundRequested(
            **self._common(), refund_id=uuid4(), review_id=review_id, amount=PRICE, reason_id=uuid4()
        )

    def refund_failed(self) -> RefundFailed:
        return RefundFailed(**self._common(), refund_id=uuid4(), code="denied")

    def refunded(self, review_id: UUID | None = None) -> TransactionRefunded:
        return TransactionRefunded(**self._common(), refund_id=uuid4(), review_id=review_id, amount=PRICE)


def record_of(
    topic: Topic,
    key: UUID,
    event: Event | None,
    version: int | None,
    *,
    actor: str = "system",
    of: type[Event] | None = None,
) -> Record:
    """A record as its owner's relay sends it; a tombstone of type `of` when there is no event."""
    kind = type(event) if event is not None else of
    assert kind is not None
    meta = Envelope(
        id=uuid7(),
        source=topic.source,
        type=kind.full_type(),
        subject=str(key),
        time=datetime.now(UTC),
        sequence=version,
        actor="system",
        causation_id=None,
        correlation_id=str(uuid4()),
        traceparent=None,
        dataschema=None,
    )
    value = event.to_json().encode() if event is not None else None
    return Record(topic.name, 0, 0, str(key).encode(), value, tuple(meta.headers()), 0)


@dataclass
class Caller:
    """A person with a token, calling the service."""

    http: httpx2.AsyncClient
    id: UUID
    roles: tuple[str, ...]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named["Content-Type"] = "application/json"
        return await self.http.request(
            method,
            path,
            content=None if body is None else json.dumps(body),  # with escapes, for what UTF-8 cannot hold
            headers={"Authorization": f"Bearer {token(self.id, *self.roles)}", **named},
        )

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
    owner_url: str
    consumer: Consumer

    def caller(self, person: UUID, *roles: str) -> Caller:
        return Caller(self.http, person, roles)

    def member_of(self, sold: Sold) -> Caller:
        return self.caller(sold.member, "member")

    def practitioner_of(self, sold: Sold) -> Caller:
        return self.caller(sold.practitioner, "practitioner")

    def admin(self) -> Caller:
        return self.caller(uuid4(), "admin")

    async def take(self, *records: Record) -> None:
        """What the consumer does with these records, one transaction each."""
        for record in records:
            topic = self.consumer.inbox.topics[record.topic]
            async with self.service.database.transaction() as conn:
                taken = await self.consumer.inbox.receive(conn, read(record, sequenced=topic.sequenced))
            assert taken.outcome in {"applied", "duplicate", "stale", "ignored"}, taken

    async def tell(self, sold: Sold, *events: Event) -> None:
        """Events of a Transaction, in order."""
        for event in events:
            sold.version += 1
            await self.take(record_of(TRANSACTIONS, sold.id, event, sold.version))

    async def sell(self, *, paid: bool = True, **sale: Any) -> Sold:
        """A Transaction as this service knows it after purchase and payment."""
        sold = Sold(**sale)
        await self.tell(sold, sold.created(), sold.assigned(), *([sold.paid()] if paid else []))
        return sold

    async def introduce(
        self, person: UUID, *, name: str, phone: str | None = None, locale: str = "id", version: int = 1
    ) -> None:
        """A person's contact data."""
        contact = PersonContact(person_id=person, name=name, phone=phone, locale=locale, timezone="Asia/Jakarta")
        await self.take(record_of(CONTACTS, person, contact, version))

    async def profile(self, person: UUID, *, name: str, timezone: str = "Asia/Jakarta", version: int = 1) -> None:
        """A practitioner's public profile."""
        profile = PractitionerProfile(id=person, name=name, tiers=("gold",), timezone=timezone, active=True)
        await self.take(record_of(PRACTITIONERS, person, profile, version))

    async def erase(self, person: UUID) -> None:
        """E4, as checkout publishes it."""
        await self.take(record_of(ERASURES, person, PersonErased(), 1))

    async def requested(self, sold: Sold, **body: Any) -> dict[str, Any]:
        """A session on that sale."""
        answer = await self.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id), **body})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def scheduled(self, sold: Sold, **times: Any) -> dict[str, Any]:
        """A requested and scheduled session on that sale."""
        session = await self.requested(sold)
        answer = await self.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule(**times))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rows(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        """Straight from the database, as its owner."""
        async with await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True) as conn:
            cursor = await conn.execute(query.encode(), params)
            return await cursor.fetchall()

    async def types(self, session_id: str) -> list[str]:
        """The event types of a session's stream, in order."""
        rows = await self.rows("SELECT type FROM events WHERE stream_id = %s ORDER BY version", session_id)
        return [row[0] for row in rows]


def tomorrow(days: int = 1) -> date:
    """A date that is surely ahead in every zone."""
    return (datetime.now(UTC) + timedelta(days=1 + days)).date()


def schedule(
    start: str = "09:00", end: str = "10:00", *, on: date | None = None, link: str = MEET, **more: Any
) -> dict[str, Any]:
    """A schedule's body; Jakarta unless `timezone` says otherwise."""
    times = {"scheduled_date": str(on or tomorrow()), "time_start": start, "time_end": end}
    return {"timezone": "Asia/Jakarta", **times, "meeting_link": link, **more}


async def until(condition: Callable[[], Awaitable[Any]], patience: float = PATIENCE) -> Any:
    """The condition's first true value; AssertionError when it stays false."""
    deadline = time.monotonic() + patience
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"not within {patience} s: {condition}"
        await asyncio.sleep(0.02)
    return value


def settings(databases: Any, jwks: str, *, bootstrap: str = "127.0.0.1:1", prefix: str = "") -> Settings:
    """The service's settings on test servers."""
    return Settings(
        database_url=databases.app_url,
        database_owner_url=databases.owner_url,
        database_allow_unsafe=True,
        database_pool_size=20,
        database_pool_timeout_seconds=30,
        kafka_bootstrap=bootstrap,
        topic_prefix=prefix,
        jwt_issuer=ISSUER,
        jwt_jwks_url=jwks,
        jwt_allow_http=True,
        rate_limit_per_minute=0,
        timer_poll_seconds=0.1,
    )  # pyright: ignore[reportCallIssue]


@asynccontextmanager
async def rig_of(made: Settings, *, mode: Mode = "api") -> AsyncGenerator[Rig]:
    """The service running in this process."""
    service = build(made)
    consumer = next(worker for worker in service.workers if isinstance(worker, Consumer))
    app = create_app(service, mode=mode)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://consultation", timeout=30) as http:
            assert made.database_owner_url is not None
            yield Rig(service, http, made.database_owner_url, consumer)
