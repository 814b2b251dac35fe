"""What the integration tests share: the service in this process on a real database, callers with real tokens, and
other services' events, taken through the real consumer's rules or a real broker."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.rigs.records import record_of
from tests.rigs.service import Caller, Served, served

from booking_contracts.decode import Record
from booking_contracts.directory import PersonContact, PersonErased, PractitionerProfile
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, TRANSACTIONS
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
from booking_process.service import Mode
from consultation.app import build
from consultation.settings import Settings

PRICE = Money(amount=250_000, currency="IDR")
MEET = "https://meet.google.com/abc-defg-hij"
DRIVE = "https://drive.google.com/file/d/1abc/view"


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
            settled_at=datetime.now(UTC),
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


@dataclass
class Rig(Served):
    """The service under test."""

    def member_of(self, sold: Sold) -> Caller:
        return self.caller("member", sub=sold.member)

    def practitioner_of(self, sold: Sold) -> Caller:
        return self.caller("practitioner", sub=sold.practitioner)

    def admin(self) -> Caller:
        return self.caller("admin")

    async def take(self, *records: Record) -> list[str]:
        outcomes = await super().take(*records)
        assert set(outcomes) <= {"applied", "duplicate", "stale", "ignored"}, outcomes
        return outcomes

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


def tomorrow(days: int = 1) -> date:
    """A date that is surely ahead in every zone."""
    return (datetime.now(UTC) + timedelta(days=1 + days)).date()


def schedule(
    start: str = "09:00", end: str = "10:00", *, on: date | None = None, link: str = MEET, **more: Any
) -> dict[str, Any]:
    """A schedule's body; Jakarta unless `timezone` says otherwise."""
    times = {"scheduled_date": str(on or tomorrow()), "time_start": start, "time_end": end}
    return {"timezone": "Asia/Jakarta", **times, "meeting_link": link, **more}


def settings(databases: Any, *, bootstrap: str = "127.0.0.1:1", prefix: str = "") -> Settings:
    """The service's settings on test servers."""
    return Settings(
        database_url=databases.app_url,
        database_owner_url=databases.owner_url,
        database_allow_unsafe=True,
        database_pool_size=20,
        database_pool_timeout_seconds=30,
        kafka_bootstrap=bootstrap,
        topic_prefix=prefix,
        jwt_issuer="https://identity.test",
        jwt_jwks_url="https://127.0.0.1:1/jwks.json",
        rate_limit_per_minute=0,
        timer_poll_seconds=0.1,
    )  # pyright: ignore[reportCallIssue]


def rig_of(made: Settings, *, mode: Mode = "api") -> AbstractAsyncContextManager[Rig]:
    """The service running in this process."""
    return served(build(made), mode=mode, of=Rig)
