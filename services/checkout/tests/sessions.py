"""Sessions as consultation tells of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.checkout.tests.rig import session_record

from booking_contracts.decode import Record
from booking_contracts.event import Event
from booking_contracts.sessions import (
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionStarted,
)

LAST_MONTH = datetime(2026, 10, 15, 5, tzinfo=UTC)
THIS_MONTH = datetime(2026, 11, 15, 5, tzinfo=UTC)


@dataclass
class Session:
    """A session's records, one after another."""

    practitioner: UUID = field(default_factory=uuid4)
    transaction: UUID = field(default_factory=uuid4)
    member: UUID = field(default_factory=uuid4)
    id: UUID = field(default_factory=uuid4)
    version: int = 0

    def _common(self, status: str) -> dict[str, Any]:
        return {
            "session_id": self.id,
            "transaction_id": self.transaction,
            "user_id": self.member,
            "practitioner_id": self.practitioner,
            "status": status,
        }

    def _next(self, event: Event, at: datetime, actor: str) -> Record:
        self.version += 1
        return session_record(event, self.version, actor=actor, at=at)

    @property
    def _by_practitioner(self) -> str:
        return f"practitioner:{self.practitioner}"

    def requested(self, at: datetime = LAST_MONTH) -> Record:
        event = ScheduleRequested(
            **self._common("pending_negotiation"), kind="counseling", respond_by=at, auto_start=False
        )
        return self._next(event, at, f"member:{self.member}")

    def started(self, at: datetime = LAST_MONTH) -> Record:
        return self._next(SessionStarted(**self._common("on_progress"), started_at=at), at, self._by_practitioner)

    def completed(self, at: datetime = LAST_MONTH) -> Record:
        event = ResultUploaded(**self._common("completed"), result_id=uuid4(), has_link=True, has_notes=False)
        return self._next(event, at, self._by_practitioner)

    def replaced(self, at: datetime = LAST_MONTH) -> Record:
        event = ResultReplaced(
            **self._common("completed"),
            result_id=uuid4(),
            has_link=True,
            has_notes=False,
            previous_result_id=uuid4(),
        )
        return self._next(event, at, self._by_practitioner)

    def canceled(self, at: datetime = LAST_MONTH) -> Record:
        event = SessionCanceled(
            **self._common("canceled"),
            reason_code="canceled_by_member",
            previous_status="pending_negotiation",
            schedule_version=1,
        )
        return self._next(event, at, f"member:{self.member}")

    def failed(self, at: datetime = LAST_MONTH) -> Record:
        event = SessionFailed(
            **self._common("failed"), reason_code="technical", previous_status="on_progress", schedule_version=1
        )
        return self._next(event, at, "system")

    def whole(self, at: datetime = LAST_MONTH) -> list[Record]:
        """Requested, started, completed, replaced: productivity 1, activity 3."""
        return [self.requested(at), self.started(at), self.completed(at), self.replaced(at)]
