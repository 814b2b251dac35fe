"""What the calendar answers, in the shape that calendar components read."""

from uuid import UUID

from pydantic import BaseModel, Field

from booking_web.instants import InstantOut
from booking_web.languages import Language
from calendar_projector.calendar.queries import Entry
from calendar_projector.calendar.text import title


class ExtendedProps(BaseModel):
    """What a component hands through unread."""

    session_id: UUID
    transaction_id: UUID
    practitioner_id: UUID
    user_id: UUID
    scheduled_date: str | None = Field(examples=["2026-12-01"])
    time_start: str | None = Field(examples=["09:00"])
    time_end: str | None = Field(examples=["10:00"])
    timezone: str | None = Field(examples=["Asia/Jakarta"])
    meeting_link: str | None = Field(examples=["https://meet.google.com/abc-defg-hij"])
    schedule_version: int
    version: int


class CalendarEvent(BaseModel):
    """One session; `start` and `end` are null while it waits for a new practitioner's time."""

    id: UUID
    title: str = Field(examples=["Sesi konsultasi"])
    start: InstantOut | None
    end: InstantOut | None = Field(examples=["2026-12-01T03:00:00Z"])
    status: str = Field(examples=["scheduled"])
    extendedProps: ExtendedProps  # noqa: N815 the name that calendar components read


class Interval(BaseModel):
    """A time that is taken, `[start, end)`."""

    start: InstantOut
    end: InstantOut = Field(examples=["2026-12-01T03:00:00Z"])


def calendar_event(entry: Entry, language: Language) -> CalendarEvent:
    """The row as a component reads it."""
    return CalendarEvent(
        id=entry.session_id,
        title=title(entry.status, language),
        start=entry.starts_at,
        end=entry.ends_at,
        status=entry.status,
        extendedProps=ExtendedProps(
            session_id=entry.session_id,
            transaction_id=entry.transaction_id,
            practitioner_id=entry.practitioner_id,
            user_id=entry.user_id,
            scheduled_date=entry.scheduled_date.isoformat() if entry.scheduled_date else None,
            time_start=f"{entry.time_start:%H:%M}" if entry.time_start else None,
            time_end=f"{entry.time_end:%H:%M}" if entry.time_end else None,
            timezone=entry.timezone,
            meeting_link=entry.meeting_link,
            schedule_version=entry.schedule_version,
            version=entry.version,
        ),
    )
