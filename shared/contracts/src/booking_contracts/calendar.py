"""The calendar row of a session as it is now, told by calendar-projector on `booking.calendar.user-schedule.v1`."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from booking_contracts.event import Event, Instant, LocalTime, ScheduleVersion, ZoneName
from booking_contracts.sessions import SessionStatus


class UserScheduleRow(Event):
    """A row of `user_schedule` changed because its session did (C1). Analytics reads it; the meeting link stays out."""

    NAMESPACE: ClassVar[str] = "com.booking.calendar"
    session_id: UUID
    transaction_id: UUID
    practitioner_id: UUID
    user_id: UUID
    status: SessionStatus
    scheduled_date: date | None = None
    time_start: LocalTime | None = None
    time_end: LocalTime | None = None
    timezone: ZoneName | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    schedule_version: ScheduleVersion
