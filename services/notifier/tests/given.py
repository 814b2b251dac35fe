"""What the notifier is told in tests: people, events and the records that carry them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.rigs.records import record_of

from booking_contracts.decode import Record
from booking_contracts.directory import PersonContact, PersonErased, PractitionerProfile
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.sessions import (
    PractitionerChanged,
    PreviousSchedule,
    PreviousTime,
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStarted,
)
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS, SESSIONS, TRANSACTIONS, Topic
from booking_contracts.transactions import (
    PaymentNeedsReview,
    PractitionerAssigned,
    ProductSnapshot,
    RefundFailed,
    TransactionCreated,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
)

LINK = "https://meet.google.com/abc-defg-hij"
OTHER_LINK = "https://meet.jit.si/another-room"
RUPIAH = Money(250_000, "IDR")


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@dataclass
class Case:
    """One member, practitioner, transaction and session; each method gives the next record of its stream."""

    member: UUID = field(default_factory=uuid7)
    practitioner: UUID = field(default_factory=uuid7)
    transaction: UUID = field(default_factory=uuid7)
    session: UUID = field(default_factory=uuid7)
    versions: dict[tuple[str, UUID], int] = field(default_factory=dict)
    schedule_version: int = 0

    @property
    def by_member(self) -> str:
        return f"member:{self.member}"

    @property
    def by_practitioner(self) -> str:
        return f"practitioner:{self.practitioner}"

    def record(
        self, topic: Topic, event: Event | None, key: UUID, actor: str = "system", at: datetime | None = None
    ) -> Record:
        version = self.versions[topic.name, key] = self.versions.get((topic.name, key), 0) + 1
        return record_of(topic, key, event, version, actor=actor, at=at, offset=version)

    def in_session(self, event: Event, actor: str = "system", at: datetime | None = None) -> Record:
        return self.record(SESSIONS, event, self.session, actor, at)

    def in_transaction(self, event: Event, actor: str = "system", at: datetime | None = None) -> Record:
        return self.record(TRANSACTIONS, event, self.transaction, actor, at)

    # People -----------------------------------------------------------------------------------------------------------

    def contact(self, person: UUID, **fields: Any) -> Record:
        known = {
            "name": "Budi",
            "email": "budi@example.com",
            "phone": "+6281234567890",
            "locale": "id",
            "timezone": "Asia/Jakarta",
        }
        return self.record(CONTACTS, PersonContact(person_id=person, **{**known, **fields}), person)

    def contacts(self) -> list[Record]:
        return [
            self.contact(self.member),
            self.contact(
                self.practitioner,
                name="Dr. Sari",
                email="sari@example.com",
                phone="+6281234567891",
                timezone="Asia/Makassar",
            ),
        ]

    def no_contact(self, person: UUID) -> Record:
        return self.record(CONTACTS, None, person)

    def profile(self, name: str = "Dr. Sari, M.Psi.") -> Record:
        profile = PractitionerProfile(
            id=self.practitioner, name=name, tiers=("gold",), timezone="Asia/Makassar", active=True
        )
        return self.record(PRACTITIONERS, profile, self.practitioner)

    def erased(self, person: UUID) -> Record:
        return self.record(ERASURES, PersonErased(), person, actor=f"admin:{uuid4()}")

    # The sale ---------------------------------------------------------------------------------------------------------

    def _sale(self) -> dict[str, Any]:
        return {"transaction_id": self.transaction, "user_id": self.member, "practitioner_id": self.practitioner}

    def created(self) -> Record:
        product = ProductSnapshot(
            id=uuid4(), name="Konseling 60 menit", kind="counseling", tier="gold", duration_minutes=60
        )
        event = TransactionCreated(
            transaction_id=self.transaction,
            user_id=self.member,
            product=product,
            price=RUPIAH,
            provider="midtrans",
            reference=str(self.transaction),
            expires_at=now() + timedelta(hours=24),
            request_limit_minutes=10080,
            auto_start=False,
        )
        return self.in_transaction(event, self.by_member)

    def assigned(self) -> Record:
        event = PractitionerAssigned(**self._sale(), product_id=uuid4(), kind="counseling", tier="gold")
        return self.in_transaction(event, self.by_member)

    def paid(self, at: datetime | None = None) -> Record:
        paid_at = at or now()
        event = TransactionPaid(
            **self._sale(),
            amount=RUPIAH,
            provider="midtrans",
            provider_payment_id="p-1",
            paid_at=paid_at,
            settled_at=paid_at,
            kind="counseling",
            request_limit_minutes=10080,
            auto_start=False,
        )
        return self.in_transaction(event, "service:midtrans", at)

    def expired(self) -> Record:
        return self.in_transaction(TransactionExpired(**self._sale(), expires_at=now()))

    def refunded(self, review_id: UUID | None = None) -> Record:
        return self.in_transaction(
            TransactionRefunded(**self._sale(), refund_id=uuid4(), review_id=review_id, amount=RUPIAH),
            "service:midtrans",
        )

    def needs_review(self) -> Record:
        event = PaymentNeedsReview(
            **self._sale(),
            review_id=uuid4(),
            provider="midtrans",
            provider_payment_id="p-2",
            received=Money(100_000, "IDR"),
            expected=RUPIAH,
            cause="wrong_amount",
        )
        return self.in_transaction(event, "service:midtrans")

    def refund_failed(self) -> Record:
        return self.in_transaction(RefundFailed(**self._sale(), refund_id=uuid4(), code="412"), "service:midtrans")

    # The session ------------------------------------------------------------------------------------------------------

    def _session(self, status: str) -> dict[str, Any]:
        return {
            "session_id": self.session,
            "transaction_id": self.transaction,
            "user_id": self.member,
            "practitioner_id": self.practitioner,
            "status": status,
        }

    def requested(self, at: datetime | None = None) -> Record:
        event = ScheduleRequested(
            **self._session("pending_negotiation"),
            kind="counseling",
            respond_by=(at or now()) + timedelta(days=7),
            auto_start=False,
        )
        return self.in_session(event, self.by_member, at)

    def _schedule(self, starts_at: datetime, link: str) -> dict[str, Any]:
        self.schedule_version += 1
        return {
            **self._session("scheduled"),
            "schedule_version": self.schedule_version,
            "scheduled_date": date(2026, 12, 1),
            "time_start": time(9),
            "time_end": time(10),
            "timezone": "Asia/Makassar",
            "ends_next_day": False,
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=1),
            "meeting_link": link,
        }

    def scheduled(self, starts_at: datetime | None = None, at: datetime | None = None) -> Record:
        starts_at = starts_at or now() + timedelta(days=7)
        return self.in_session(SessionScheduled(**self._schedule(starts_at, LINK)), self.by_practitioner, at)

    def rescheduled(self, starts_at: datetime | None = None, at: datetime | None = None) -> Record:
        starts_at = starts_at or now() + timedelta(days=8)
        previous = PreviousSchedule(
            starts_at=now() + timedelta(days=7), ends_at=now() + timedelta(days=7, hours=1), meeting_link=LINK
        )
        event = SessionRescheduled(**self._schedule(starts_at, OTHER_LINK), previous=previous)
        return self.in_session(event, self.by_practitioner, at)

    def _ended(self) -> dict[str, Any]:
        had_time = self.schedule_version > 0
        self.schedule_version += 1
        starts_at = now() + timedelta(days=7)
        times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=1)} if had_time else {}
        previous = "scheduled" if had_time else "pending_negotiation"
        return {"previous_status": previous, "schedule_version": self.schedule_version, **times}

    def canceled(self, actor: str | None = None) -> Record:
        actor = actor or self.by_member
        code = "canceled_by_member" if actor == self.by_member else "canceled_by_practitioner"
        event = SessionCanceled(**self._session("canceled"), reason_code=code, reason_id=uuid4(), **self._ended())
        return self.in_session(event, actor)

    def failed(self) -> Record:
        event = SessionFailed(**self._session("failed"), reason_code="practitioner_timeout", **self._ended())
        return self.in_session(event)

    def changed(self, to: UUID) -> Record:
        had_time = self.schedule_version > 0
        self.schedule_version += 1
        previous, self.practitioner = self.practitioner, to
        time_given_up = PreviousTime(starts_at=now() + timedelta(days=7), ends_at=now() + timedelta(days=7, hours=1))
        event = PractitionerChanged(
            **self._session("pending_negotiation"),
            previous_practitioner_id=previous,
            previous_status="scheduled" if had_time else "pending_negotiation",
            previous=time_given_up if had_time else None,
            respond_by=now() + timedelta(days=7),
            schedule_version=self.schedule_version,
        )
        return self.in_session(event)

    def started(self) -> Record:
        return self.in_session(SessionStarted(**self._session("on_progress"), started_at=now()), self.by_practitioner)

    def result(self) -> Record:
        event = ResultUploaded(**self._session("completed"), result_id=uuid4(), has_link=True, has_notes=False)
        return self.in_session(event, self.by_practitioner)

    def result_replaced(self) -> Record:
        event = ResultReplaced(
            **self._session("completed"), result_id=uuid4(), has_link=True, has_notes=False, previous_result_id=uuid4()
        )
        return self.in_session(event, self.by_practitioner)
