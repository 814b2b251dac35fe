"""The topic catalogue: what flows where, by which key, for how long, and who alone may write it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.calendar import UserScheduleRow
from booking_contracts.catalogue import CatalogueProduct
from booking_contracts.directory import PersonContact, PersonErased, PersonPreferences, PractitionerProfile
from booking_contracts.event import Event
from booking_contracts.notices import RepublishBegan, RepublishEnded, RestoreAccepted
from booking_contracts.notifications import (
    NotificationAmbiguous,
    NotificationDelivered,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSkipped,
)
from booking_contracts.sessions import (
    PractitionerChanged,
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStarted,
    SessionState,
)
from booking_contracts.transactions import (
    PaymentDeclined,
    PaymentNeedsReview,
    PaymentReviewSettled,
    PractitionerAssigned,
    PractitionerReassigned,
    RefundFailed,
    RefundRequested,
    TransactionCanceled,
    TransactionCreated,
    TransactionExpired,
    TransactionPaid,
    TransactionRefunded,
    TransactionState,
)

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
MAX_RECORD_BYTES = 1_048_576

_MOST = str(2**63 - 1)
# The broker's own clock: it decides what is old enough to be compacted or deleted, and no service's clock may.
_APPENDED = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_RECORD_BYTES)}
# The store's clock, and no bound: by default a broker refuses what is an hour ahead of it, and would for as long as
# that clock is wrong (KIP-937, F60). Nothing is deleted by these times, as events are kept for ever.
_COMMITTED = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": _MOST,
    "message.timestamp.after.max.ms": _MOST,
    "max.message.bytes": str(MAX_RECORD_BYTES),
}
_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_EVENTS = {**_COMMITTED, **_FOR_EVER}
_COMPACTED = {**_APPENDED, "cleanup.policy": "compact", "retention.ms": "-1", "retention.bytes": "-1"}
# Small, soon rolled segments and an eager cleaner: an erased value must be gone from disk within a day (E4).
_FORGETTING = {
    **_COMPACTED,
    "segment.ms": str(_HOUR_MS),
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": str(6 * _HOUR_MS),
    "delete.retention.ms": str(7 * _DAY_MS),
}


Program = Literal["checkout", "consultation", "notifier", "calendar-projector", "gateway"]
"""What of ours speaks to Kafka: the services, and the reference gateway."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `key` names the payload's field that is the record's key and the envelope's subject.

    `state`: records say how a row is now, so versions may be missing and the newest wins; otherwise they are the
    events of a stream, versions 1, 2, 3 without gaps. `sequenced` is false where another system writes without
    `ce_sequence`.

    `readers` are the programs of ours that subscribe to it (tests/rules/test_topic_readers.py), `analytics` whether a
    data team may read it beside them, `writers` who writes: the one that `source` names, but for what operators tell of
    topics, each by the service whose topic it is, and for assessments, of which consultation sends some (`source_of`).
    A broker's permissions follow from these.
    """

    name: str
    key: str
    source: str
    state: bool
    partitions: int
    config: Mapping[str, str] = field(hash=False)
    events: tuple[type[Event], ...]
    sequenced: bool = True
    about: str = field(default="", compare=False)
    readers: tuple[Program, ...] = ()
    analytics: bool = True
    writers: tuple[str, ...] = ()

    def source_of(self, writer: str) -> str:
        """The `ce_source` of what this writer sends: `source`, or one of its own beside the owner whom that names."""
        owner = self.source.rpartition("/")[2]
        return f"{self.source}/{writer}" if owner in self.writers and writer != owner else self.source

    @property
    def compacted(self) -> bool:
        """Whether a null value (tombstone) has a meaning here: the key's row is gone."""
        return self.config["cleanup.policy"] == "compact"

    def event_named(self, name: str) -> type[Event] | None:
        """The event class of this short type name, if this topic carries it."""
        return next((event for event in self.events if name == event.TYPE), None)


def _topic(
    name: str,
    *,
    key: str,
    source: str,
    events: tuple[type[Event], ...],
    config: Mapping[str, str],
    about: str,
    readers: tuple[Program, ...] = (),
    analytics: bool = True,
    state: bool = False,
    sequenced: bool = True,
    partitions: int = 6,
    writers: tuple[str, ...] = (),
) -> Topic:
    frozen, named = MappingProxyType(dict(config)), writers or (source.rpartition("/")[2],)
    return Topic(name, key, source, state, partitions, frozen, events, sequenced, about, readers, analytics, named)


TRANSACTIONS = _topic(
    "booking.checkout.transactions.v1",
    key="transaction_id",
    source="/booking/checkout",
    config=_EVENTS,
    about="The events of Transactions.",
    readers=("consultation", "notifier", "calendar-projector", "gateway"),
    events=(
        TransactionCreated,
        PractitionerAssigned,
        PractitionerReassigned,
        TransactionPaid,
        PaymentDeclined,
        PaymentNeedsReview,
        PaymentReviewSettled,
        TransactionExpired,
        TransactionCanceled,
        RefundRequested,
        TransactionRefunded,
        RefundFailed,
    ),
)
SESSIONS = _topic(
    "booking.consultation.sessions.v1",
    key="session_id",
    source="/booking/consultation",
    config=_EVENTS,
    about="The events of FeedbackSessions.",
    readers=("checkout", "notifier", "calendar-projector", "gateway"),
    events=(
        ScheduleRequested,
        SessionScheduled,
        SessionRescheduled,
        PractitionerChanged,
        SessionStarted,
        ResultUploaded,
        ResultReplaced,
        SessionCanceled,
        SessionFailed,
    ),
)
TRANSACTION_STATES = _topic(
    "booking.checkout.transaction-states.v1",
    key="transaction_id",
    source="/booking/checkout",
    state=True,
    config=_COMPACTED,
    about="Each Transaction as it is now, after its events: a new reader starts here, without the history.",
    events=(TransactionState,),
)
SESSION_STATES = _topic(
    "booking.consultation.session-states.v1",
    key="session_id",
    source="/booking/consultation",
    state=True,
    config=_COMPACTED,
    about="Each FeedbackSession as it is now, after its events: a new reader starts here, without the history.",
    events=(SessionState,),
)
PRODUCTS = _topic(
    "booking.checkout.products.v1",
    key="id",
    source="/booking/checkout",
    state=True,
    config=_COMPACTED,
    about="The catalogue's products as they are now, also those that are sold no more.",
    events=(CatalogueProduct,),
)
PRACTITIONERS = _topic(
    "booking.directory.practitioners.v1",
    key="id",
    source="/booking/checkout",
    state=True,
    config=_COMPACTED,
    about="The public profile of each practitioner as it is now.",
    readers=("consultation", "notifier", "calendar-projector"),
    events=(PractitionerProfile,),
)
CONTACTS = _topic(
    "booking.directory.contacts.v1",
    key="person_id",
    source="/booking/checkout",
    state=True,
    config=_FORGETTING,
    about="Contact data as they are now; a tombstone erases. For notifier, consultation and calendar alone.",
    readers=("consultation", "notifier", "calendar-projector"),
    analytics=False,
    events=(PersonContact,),
)
ERASURES = _topic(
    "booking.directory.erasures.v1",
    key="person_id",
    source="/booking/checkout",
    config=_EVENTS,
    about="Who was erased; every service deletes what product.md E4 names.",
    readers=("consultation", "notifier", "calendar-projector"),
    events=(PersonErased,),
)
NOTIFICATIONS = _topic(
    "booking.notifier.notifications.v1",
    key="notification_id",
    source="/booking/notifier",
    state=True,
    config={**_APPENDED, "cleanup.policy": "delete", "retention.ms": str(90 * _DAY_MS), "retention.bytes": "-1"},
    about="The latest step of each message, without contact data; steps may be missing.",
    events=(
        NotificationRequested,
        NotificationSent,
        NotificationDelivered,
        NotificationFailed,
        NotificationAmbiguous,
        NotificationSkipped,
    ),
)
PREFERENCES = _topic(
    "booking.notifier.preferences.v1",
    key="person_id",
    source="/booking/notifier",
    state=True,
    config=_FORGETTING,
    about="By which channels each person wants to be told, as it is now; a tombstone erases.",
    events=(PersonPreferences,),
)
USER_SCHEDULE = _topic(
    "booking.calendar.user-schedule.v1",
    key="session_id",
    source="/booking/calendar-projector",
    state=True,
    config=_COMPACTED,
    about="The row of `user_schedule` as it is now, without meeting link, for analytics.",
    events=(UserScheduleRow,),
)
ASSESSMENTS = _topic(
    "booking.assessments.v1",
    key="assessment_id",
    source="/booking/assessments",
    state=True,
    sequenced=False,
    config={**_APPENDED, **_FOR_EVER},
    about="Completed assessments, written by the assessment service, and by consultation those that were told by HTTP; "
    "`user_id` is written once.",
    readers=("consultation",),
    writers=("assessments", "consultation"),
    events=(AssessmentCompleted,),
)
NOTICES = _topic(
    "booking.operations.notices.v1",
    key="notice_id",
    source="/booking/operations",
    writers=("checkout", "consultation", "notifier", "calendar-projector"),
    partitions=1,
    config=_EVENTS,
    about="What operators did to topics: published again, or accepted after a restore. One partition, so one order.",
    events=(RepublishBegan, RepublishEnded, RestoreAccepted),
)

TOPICS: tuple[Topic, ...] = (
    TRANSACTIONS,
    SESSIONS,
    TRANSACTION_STATES,
    SESSION_STATES,
    PRODUCTS,
    PRACTITIONERS,
    CONTACTS,
    ERASURES,
    NOTIFICATIONS,
    PREFERENCES,
    USER_SCHEDULE,
    ASSESSMENTS,
    NOTICES,
)
_BY_NAME = {topic.name: topic for topic in TOPICS}

EVENTS: dict[str, type[Event]] = {event.TYPE: event for topic in TOPICS for event in topic.events}
"""Every event type by its short name, as the stores keep it."""


def topic_named(name: str) -> Topic:
    """The topic of this logical name; KeyError if the catalogue has none."""
    return _BY_NAME[name]


def full_type(name: str, version: int) -> str:
    """The `ce_type` of a stored event; KeyError for a name that is no event of this language."""
    return f"{EVENTS[name].NAMESPACE}.{name}.v{version}"
