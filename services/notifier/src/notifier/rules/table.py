"""Product rule N1 as data: which event tells whom what, and which timers it sets.

A message of an event is due at once. A timer is due some time after the event or before the session starts; it belongs
to one version of the schedule (N4), and `useful_for` says how late it may still leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Timer:
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
    timer: Timer | None = None


# A reminder that left while the notifier was down still helps for a while. The day's reminder of a session that was set
# less than a day ahead tells nobody anything new: the invitation has just left.
_DAY_BEFORE = Timer("start", timedelta(hours=-24), timedelta(hours=6), "scheduled", tells_nothing_if_due=True)
_HOUR_BEFORE = Timer("start", timedelta(hours=-1), timedelta(minutes=55), "scheduled")
_AFTER_A_DAY = Timer("event", timedelta(hours=24), timedelta(hours=48), "pending_negotiation")
_AFTER_THREE_DAYS = Timer("event", timedelta(hours=72), timedelta(days=30), "pending_negotiation")

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
