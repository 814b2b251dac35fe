"""The fields that several events of a session share, each written at one place. Pure."""

from datetime import date, datetime, time
from typing import Literal, TypedDict
from uuid import UUID

from consultation.session.evolve import meeting_of
from consultation.session.state import PendingNegotiation, Scheduled, Session
from consultation.session.times import Slot


class Parties(TypedDict):
    """What every event of a session carries, but the status."""

    session_id: UUID
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID


class ScheduleFields(TypedDict):
    """What both events of a schedule carry."""

    status: Literal["scheduled"]
    schedule_version: int
    scheduled_date: date
    time_start: time
    time_end: time
    timezone: str
    ends_next_day: bool
    fold: Literal[0, 1] | None
    fold_end: Literal[0, 1] | None
    starts_at: datetime
    ends_at: datetime
    meeting_link: str


class ResultFields(TypedDict):
    """What both events of a result carry; link and notes themselves are erasable text elsewhere (E4)."""

    result_id: UUID
    has_link: bool
    has_notes: bool


class GivenUpFields(TypedDict):
    """What an end tells of the schedule that no longer holds."""

    starts_at: datetime | None
    ends_at: datetime | None
    schedule_version: int


def parties(state: Session) -> Parties:
    """Whose session it is."""
    about = state.about
    return {
        "session_id": about.session_id,
        "transaction_id": about.transaction_id,
        "user_id": about.user_id,
        "practitioner_id": about.practitioner_id,
    }


def scheduled(slot: Slot, link: str, state: PendingNegotiation | Scheduled) -> ScheduleFields:
    """The next version of the schedule."""
    return {
        "status": "scheduled",
        "schedule_version": state.about.schedule_version + 1,
        "scheduled_date": slot.scheduled_date,
        "time_start": slot.time_start,
        "time_end": slot.time_end,
        "timezone": slot.timezone,
        "ends_next_day": slot.ends_next_day,
        "fold": slot.fold,
        "fold_end": slot.fold_end,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "meeting_link": link,
    }


def given_up(state: Session) -> GivenUpFields:
    """The schedule that the session had, under the version that ends it."""
    meeting = meeting_of(state)
    return {
        "starts_at": meeting and meeting.slot.starts_at,
        "ends_at": meeting and meeting.slot.ends_at,
        "schedule_version": state.about.schedule_version + 1,
    }
