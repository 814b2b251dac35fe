"""The sample session: just enough decisions to make rows, claims and conflicts."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from booking_contracts.event import Event
from booking_contracts.sessions import ScheduleRequested, SessionScheduled
from booking_contracts.topics import SESSIONS
from booking_store import Appended, AppendSql, Cause

HERE = Path(__file__).parent
TABLES = (HERE / "tables.sql").read_text()
APPEND = AppendSql(
    (HERE / "append.sql").read_text(),
    topic=SESSIONS.name,
    constraints={"sample_session_transaction": "transaction_already_used"},
)
NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Key:
    """An idempotency key, of the shape that booking_web's has."""

    sub: str = "member"
    operation: str = "POST /v1/sessions"
    key: str = field(default_factory=lambda: str(uuid4()))
    sha: bytes = b"\x01" * 32


@dataclass(frozen=True)
class Session:
    """A session in the hands of a test; the members of one party may be shared with another's."""

    id: UUID = field(default_factory=uuid4)
    transaction_id: UUID = field(default_factory=uuid4)
    member: UUID = field(default_factory=uuid4)
    practitioner: UUID = field(default_factory=uuid4)
    version: int = 0

    def requested(self) -> ScheduleRequested:
        return ScheduleRequested(
            session_id=self.id,
            transaction_id=self.transaction_id,
            user_id=self.member,
            practitioner_id=self.practitioner,
            status="pending_negotiation",
            kind="counseling",
            respond_by=NINE,
            auto_start=False,
        )

    def scheduled(self, starts_at: datetime = NINE, minutes: int = 60) -> SessionScheduled:
        ends_at = starts_at + timedelta(minutes=minutes)
        return SessionScheduled(
            session_id=self.id,
            transaction_id=self.transaction_id,
            user_id=self.member,
            practitioner_id=self.practitioner,
            status="scheduled",
            schedule_version=1,
            scheduled_date=starts_at.date(),
            time_start=starts_at.time(),
            time_end=ends_at.time(),
            timezone="UTC",
            ends_next_day=False,
            starts_at=starts_at,
            ends_at=ends_at,
            meeting_link="https://meet.google.com/abc-defg-hij",
        )

    def at(self, version: int) -> "Session":
        return replace(self, version=version)


async def append(
    conn,
    session: Session,
    events: list[Event],
    *,
    key: Key | None = None,
    guard: int | None = None,
    cause: Cause | None = None,
) -> Appended:
    """One command on the session; ``guard`` is the entitlement's version that it relied upon."""
    last = events[-1]
    holds_time = isinstance(last, SessionScheduled)
    params: dict[str, Any] = {
        "guard_transaction_id": session.transaction_id if guard is not None else None,
        "guard_version": guard,
        "transaction_id": session.transaction_id,
        "status": getattr(last, "status"),  # noqa: B009
        "starts_at": last.starts_at if isinstance(last, SessionScheduled) else None,
        "ends_at": last.ends_at if isinstance(last, SessionScheduled) else None,
        "holds_time": holds_time,
        "persons": sorted([session.member, session.practitioner]),
    }
    return await APPEND.run(
        conn,
        stream_type="session",
        stream_id=session.id,
        expected=session.version,
        events=events,
        cause=cause or Cause(actor=f"member:{session.member}", correlation_id="test"),
        occurred_at=datetime.now(UTC),
        idempotency=key,
        params=params,
    )
