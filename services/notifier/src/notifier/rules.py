"""The pure rules: who is told what and when (N1), by which channel and in which language (N2), and whether still (N4).

A message of an event is due at once. A timer is due some time after the event or before the session starts; it belongs
to one version of the schedule (N4), and `useful_for` says how late it may still leave.
Channels are looked at as a message is written down and again, with all else that may have changed, in the moment before
it is sent (reliability.md F87). No I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from booking_contracts.event import Event
from booking_contracts.sessions import (
    PractitionerChanged,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStatus,
)
from booking_contracts.transactions import (
    PaymentNeedsReview,
    RefundFailed,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
)

Role = Literal["member", "practitioner", "previous_practitioner", "other_side", "admins"]
Template = Literal[
    "session_requested",
    "session_scheduled",
    "session_rescheduled",
    "session_canceled",
    "session_failed",
    "result_uploaded",
    "transaction_paid",
    "transaction_expired",
    "transaction_refunded",
    "practitioner_changed",
    "practitioner_released",
    "payment_review",
    "refund_failed",
    "reminder_24h",
    "reminder_1h",
    "request_unanswered",
    "request_unanswered_admins",
]

ADMINS = "admins"
Channel = Literal["email", "whatsapp"]
CHANNELS: tuple[Channel, ...] = ("email", "whatsapp")
SkipReason = Literal["before_send_from", "erased", "superseded", "late", "channel_off"]


@dataclass(frozen=True, slots=True)
class TimerRule:
    """When a message leaves that does not leave at once.

    `offset` counts from the event, or from the session's start where `anchor` says so. The message leaves only while
    the session is `while_status` in the version of the schedule that set the timer, and at most `useful_for` late;
    where `tells_nothing_if_due` says so, never when it was due already as its event occurred.
    """

    anchor: Literal["event", "start"]
    offset: timedelta
    useful_for: timedelta
    while_status: SessionStatus
    tells_nothing_if_due: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of N1: this recipient gets this template, at once or by a timer."""

    to: Role
    template: Template
    timer: TimerRule | None = None


# A reminder that left while the notifier was down still helps for a while. The day's reminder of a session that was set
# less than a day ahead tells nobody anything new: the invitation has just left.
_DAY_BEFORE = TimerRule("start", timedelta(hours=-24), timedelta(hours=6), "scheduled", tells_nothing_if_due=True)
_HOUR_BEFORE = TimerRule("start", timedelta(hours=-1), timedelta(minutes=55), "scheduled")
_AFTER_A_DAY = TimerRule("event", timedelta(hours=24), timedelta(hours=48), "pending_negotiation")
_AFTER_THREE_DAYS = TimerRule("event", timedelta(hours=72), timedelta(days=30), "pending_negotiation")

_REMINDERS = (
    Rule("member", "reminder_24h", _DAY_BEFORE),
    Rule("practitioner", "reminder_24h", _DAY_BEFORE),
    Rule("member", "reminder_1h", _HOUR_BEFORE),
    Rule("practitioner", "reminder_1h", _HOUR_BEFORE),
)
_UNANSWERED = (
    Rule("practitioner", "request_unanswered", _AFTER_A_DAY),
    Rule("admins", "request_unanswered_admins", _AFTER_THREE_DAYS),
)

TABLE: Mapping[type[Event], tuple[Rule, ...]] = {
    ScheduleRequested: (Rule("practitioner", "session_requested"), *_UNANSWERED),
    SessionScheduled: (Rule("member", "session_scheduled"), *_REMINDERS),
    SessionRescheduled: (Rule("member", "session_rescheduled"), *_REMINDERS),
    SessionCanceled: (Rule("member", "session_canceled"), Rule("other_side", "session_canceled")),
    SessionFailed: (Rule("member", "session_failed"), Rule("practitioner", "session_failed")),
    ResultUploaded: (Rule("member", "result_uploaded"),),
    PractitionerChanged: (
        Rule("practitioner", "session_requested"),
        Rule("previous_practitioner", "practitioner_released"),
        Rule("member", "practitioner_changed"),
        *_UNANSWERED,
    ),
    TransactionPaid: (Rule("member", "transaction_paid"),),
    TransactionExpired: (Rule("member", "transaction_expired"),),
    TransactionRefunded: (Rule("member", "transaction_refunded"),),
    PaymentNeedsReview: (Rule("admins", "payment_review"),),
    RefundFailed: (Rule("admins", "refund_failed"),),
}


@dataclass(frozen=True, slots=True)
class Fence:
    """The version and status of the session for which a timer was set; in any other it must not leave (N4)."""

    schedule_version: int
    status: SessionStatus


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One message that one event asks for. `recipient_id` is a person's id or `admins`."""

    recipient_id: str
    template: Template
    due_at: datetime
    useful_until: datetime | None = None
    fence: Fence | None = None


def messages_for(event: Event, *, actor: str, at: datetime) -> tuple[PlannedMessage, ...]:
    """What this event asks for, each (recipient, template) once; nothing for an event that N1 does not name."""
    messages: dict[tuple[str, Template], PlannedMessage] = {}
    for rule in TABLE.get(type(event), ()):
        message = _message(rule, event, actor, at)
        messages.setdefault((message.recipient_id, message.template), message)
    return tuple(messages.values())


def _message(rule: Rule, event: Any, actor: str, at: datetime) -> PlannedMessage:
    recipient_id = _recipient(rule.to, event, actor)
    if rule.timer is None:
        return PlannedMessage(recipient_id, rule.template, at)
    due_at = _due(rule.timer, event, at)
    fence = Fence(getattr(event, "schedule_version", 0), rule.timer.while_status)
    told_already = rule.timer.tells_nothing_if_due and due_at <= at
    useful_until = due_at if told_already else due_at + rule.timer.useful_for
    return PlannedMessage(recipient_id, rule.template, due_at, useful_until, fence)


def _recipient(role: Role, event: Any, actor: str) -> str:
    match role:
        case "member":
            return str(event.user_id)
        case "practitioner":
            return str(event.practitioner_id)
        case "previous_practitioner":
            return str(event.previous_practitioner_id)
        case "other_side":
            return str(_other_side(event, actor))
        case "admins":
            return ADMINS


def _other_side(event: Any, actor: str) -> UUID:
    acted_by_practitioner = actor.partition(":")[2] == str(event.practitioner_id)
    return event.user_id if acted_by_practitioner else event.practitioner_id


def _due(timer: TimerRule, event: Any, at: datetime) -> datetime:
    return (event.starts_at if timer.anchor == "start" else at) + timer.offset


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person chose. Who never chose gets both channels."""

    email: bool = True
    whatsapp: bool = True


def channels(recipient_id: str, preferences: Preferences) -> tuple[Channel, ...]:
    """The channels of one recipient, in a fixed order. Admins are told by email only (N1)."""
    if recipient_id == ADMINS:
        return ("email",)
    return tuple(channel for channel in CHANNELS if getattr(preferences, channel))


def channels_to_write(recipient_id: str, preferences: Preferences, *, is_timer: bool) -> tuple[Channel, ...]:
    """The channels by which a message is written down. Whoever wants none gets a timer by each.

    It leaves only by one that is wanted when it is due, and until then somebody may switch one on (N2).
    """
    wanted = channels(recipient_id, preferences)
    return CHANNELS if is_timer and not wanted else wanted


@dataclass(frozen=True, slots=True)
class CurrentState:
    """How things stand now: the session's version and status, what the recipient wants and was told since."""

    schedule_version: int | None
    status: str | None
    recipient_erased: bool
    channel_wanted: bool
    overtaken: bool = False
    """A later message about the same session has reached the recipient by the same channel."""


def skip_reason(
    fence: Fence | None, useful_until: datetime | None, current: CurrentState, now: datetime
) -> SkipReason | None:
    """Why a due message must not leave, or None.

    A message without a fence states a fact and is never too late; but old news after the newer would mislead.
    """
    if current.recipient_erased:
        return "erased"
    if fence is not None and (current.schedule_version, current.status) != (fence.schedule_version, fence.status):
        return "superseded"
    if fence is None and current.overtaken:
        return "superseded"
    if useful_until is not None and now > useful_until:
        return "late"
    if not current.channel_wanted:
        return "channel_off"
    return None


def skipped_from_the_start(event_at: datetime, due_at: datetime, send_from: datetime) -> SkipReason | None:
    """A message of the time before this notifier's database existed is history: recorded, never sent (N3).

    A timer that an old event set for later is no history, nor is a new event's timer that was due before it was set.
    """
    return "before_send_from" if max(event_at, due_at) < send_from else None
