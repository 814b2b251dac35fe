"""Checkout in this process on a real database: people with real tokens, a provider on loopback, others' events."""

import hashlib
import hmac
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx2
from pydantic import SecretStr
from services.checkout.tests.midtrans_server import SERVER_KEY, MidtransServer
from tests.rigs.records import record_of
from tests.rigs.service import Caller, Served, served

from booking_contracts.decode import Record
from booking_contracts.event import Event
from booking_contracts.topics import SESSIONS
from booking_process.service import Mode
from checkout.app import build
from checkout.settings import Settings
from checkout.timer import Timer

MANUAL_SECRET = "manual-secret"
RETURN_ORIGINS = ("https://app.example", "http://127.0.0.1:5173")
PRICE = {"amount": 250_000, "currency": "IDR"}


@dataclass
class Rig(Served):
    """The service under test, and its provider."""

    provider: MidtransServer

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

    async def buy(self, *, return_url: str | None = None, **headers: str) -> httpx2.Response:
        body = {"product_id": str(self.product), "practitioner_id": str(self.practitioner.id)}
        body |= {"return_url": return_url} if return_url is not None else {}
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
    return record_of(SESSIONS, key, event, version, actor=actor, at=at)


def settings(databases: Any, provider: str, **more: Any) -> Settings:
    """The service's settings on test servers."""
    return Settings(
        **{
            "database_url": databases.app_url,
            "database_owner_url": databases.owner_url,
            "database_allow_unsafe": True,
            "return_origins": RETURN_ORIGINS,
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


def rig_of(made: Settings, provider: MidtransServer, *, mode: Mode = "api") -> AbstractAsyncContextManager[Rig]:
    """The service running in this process."""
    return served(build(made), mode=mode, of=partial(Rig, provider=provider))
