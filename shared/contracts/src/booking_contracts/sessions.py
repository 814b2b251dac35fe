"""The life of a FeedbackSession, told by consultation on `booking.consultation.sessions.v1`; and each session as it is
now, on `booking.consultation.session-states.v1`."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from booking_contracts.event import Code, Event, Instant, Link, LocalTime, Part, ProductKind, ScheduleVersion, ZoneName

SessionStatus = Literal["pending_negotiation", "scheduled", "on_progress", "completed", "canceled", "failed"]
CancelReason = Literal["canceled_by_member", "canceled_by_practitioner", "other"]
FailReason = Literal[
    "technical", "no_show_member", "no_show_practitioner", "other", "practitioner_timeout", "payment_reversed"
]


class PreviousTime(Part):
    """The time that was given up."""

    starts_at: Instant
    ends_at: Instant


class PreviousSchedule(PreviousTime):
    """The time and link that were given up."""

    meeting_link: Link


class SessionEvent(Event):
    """What every event of a session carries; `status` is the one after it."""

    NAMESPACE: ClassVar[str] = "com.booking.consultation"
    session_id: UUID
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID
    status: SessionStatus


class ScheduleRequested(SessionEvent):
    """A member with a paid Transaction asked for a session (R1, R2). Notifier tells the practitioner (R3), who must
    answer by `respond_by` (R4)."""

    status: Literal["pending_negotiation"]
    assessment_id: UUID | None = None
    kind: ProductKind
    respond_by: Instant
    auto_start: bool


class _Schedule(SessionEvent):
    """Local date and times as the practitioner gave them, and the instants computed from them once (S1)."""

    status: Literal["scheduled"]
    schedule_version: ScheduleVersion
    scheduled_date: date
    time_start: LocalTime
    time_end: LocalTime
    timezone: ZoneName
    ends_next_day: bool
    fold: Literal[0, 1] | None = None
    fold_end: Literal[0, 1] | None = None
    starts_at: Instant
    ends_at: Instant
    meeting_link: Link


class SessionScheduled(_Schedule):
    """The practitioner set date, time and meeting link (S1 to S4). Notifier invites the member and sets the reminders,
    the calendar shows the session."""


class SessionRescheduled(_Schedule):
    """The practitioner moved the session or changed its link (S5, S7). Notifier sends the new invitation and drops the
    old reminders (N4), the calendar moves the session."""

    previous: PreviousSchedule


class PractitionerChanged(SessionEvent):
    """The Transaction was reassigned while the session was open: it waits for the new practitioner's answer (P2).
    Notifier tells all three, the calendar takes the session out of ranges and feeds (C1)."""

    status: Literal["pending_negotiation"]
    previous_practitioner_id: UUID
    previous_status: Literal["pending_negotiation", "scheduled"]
    previous: PreviousTime | None = None
    respond_by: Instant
    schedule_version: ScheduleVersion


class SessionStarted(SessionEvent):
    """The practitioner flagged the session as running, or the system did at its start time where the product says so.
    Checkout refuses reassignment from now on (P2)."""

    status: Literal["on_progress"]
    started_at: Instant


class ResultUploaded(SessionEvent):
    """The practitioner uploaded a recording or notes, which completes the session. Notifier tells the member, checkout
    counts the practitioner's productivity (L2). Link and notes themselves are read from consultation (E4). `ended_at`
    is there if the practitioner said when they parted (S8)."""

    status: Literal["completed"]
    result_id: UUID
    has_link: bool
    has_notes: bool
    ended_at: Instant | None = None


class ResultReplaced(SessionEvent):
    """The practitioner replaced the result of a completed session; the earlier one stays in the history.
    It counts as activity (L2), never again as productivity. `ended_at` is what is known by then (S8): as it was before,
    unless this says another."""

    status: Literal["completed"]
    result_id: UUID
    has_link: bool
    has_notes: bool
    previous_result_id: UUID
    ended_at: Instant | None = None


class SessionCanceled(SessionEvent):
    """The member or the practitioner canceled with a reason (S5). Notifier tells the other side, the calendar marks the
    session as canceled (C1), the member may request again (R2)."""

    status: Literal["canceled"]
    reason_code: CancelReason
    reason_id: UUID | None = None
    previous_status: Literal["pending_negotiation", "scheduled"]
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    schedule_version: ScheduleVersion


class SessionFailed(SessionEvent):
    """An admin failed the session, or the system did: no answer in time (R4), or the payment was reversed (P5).
    Notifier tells both, the calendar marks the session as failed (C1), the member may request again (R2)."""

    status: Literal["failed"]
    reason_code: FailReason
    reason_id: UUID | None = None
    previous_status: Literal["pending_negotiation", "scheduled", "on_progress"]
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    schedule_version: ScheduleVersion


class SessionState(Event):
    """A session as it is now, the fold of its events up to version `ce_sequence`: where a new reader starts, without
    the history. `ce_metadata` says who caused the last event, and by `causation_id` which one it was. Analytics reads
    it; words and links stay out, of the meeting's link only the host is told."""

    NAMESPACE: ClassVar[str] = "com.booking.consultation"
    session_id: UUID
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID
    status: SessionStatus
    assessment_id: UUID | None = None
    kind: ProductKind
    auto_start: bool
    requested_at: Instant
    respond_by: Instant
    schedule_version: ScheduleVersion
    scheduled_date: date | None = None
    time_start: LocalTime | None = None
    time_end: LocalTime | None = None
    timezone: ZoneName | None = None
    ends_next_day: bool | None = None
    fold: Literal[0, 1] | None = None
    fold_end: Literal[0, 1] | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    meeting_host: Code | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    closed_at: Instant | None = None
    result_id: UUID | None = None
    has_link: bool
    has_notes: bool
    reason_code: Literal[CancelReason, FailReason] | None = None
