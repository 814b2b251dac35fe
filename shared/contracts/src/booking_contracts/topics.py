"""The topic catalogue: what flows where, by which key, for how long, and who alone may write it; making its topics on a
broker, and seeing that they are as it says."""
# aiokafka's admin client has no types, hence not strict here.
# pyright: standard

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.calendar import UserScheduleRow
from booking_contracts.directory import PersonContact, PersonErased, PersonPreferences, PractitionerProfile
from booking_contracts.event import Event
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
)
from booking_contracts.transactions import (
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
)

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
MAX_RECORD_BYTES = 1_048_576

# LogAppendTime: a service whose clock runs ahead would else be refused by the broker for good (KIP-1030, F60).
_EVERY = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(MAX_RECORD_BYTES)}
_FOR_EVER = {**_EVERY, "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_COMPACTED = {**_EVERY, "cleanup.policy": "compact", "retention.ms": "-1", "retention.bytes": "-1"}
# Small, soon rolled segments and an eager cleaner: an erased value must be gone from disk within a day (E4).
_FORGETTING = {
    **_COMPACTED,
    "segment.ms": str(_HOUR_MS),
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": str(6 * _HOUR_MS),
    "delete.retention.ms": str(7 * _DAY_MS),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `key` names the payload's field that is the record's key and the envelope's subject.

    `state`: records say how a row is now, so versions may be missing and the newest wins; otherwise they are the
    events of a stream, versions 1, 2, 3 without gaps. `sequenced` is false where another system writes without
    `ce_sequence`.
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
    state: bool = False,
    sequenced: bool = True,
) -> Topic:
    return Topic(name, key, source, state, 6, MappingProxyType(dict(config)), events, sequenced, about)


TRANSACTIONS = _topic(
    "booking.checkout.transactions.v1",
    key="transaction_id",
    source="/booking/checkout",
    config=_FOR_EVER,
    about="The events of Transactions.",
    events=(
        TransactionCreated,
        PractitionerAssigned,
        PractitionerReassigned,
        TransactionPaid,
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
    config=_FOR_EVER,
    about="The events of FeedbackSessions.",
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
PRACTITIONERS = _topic(
    "booking.directory.practitioners.v1",
    key="id",
    source="/booking/checkout",
    state=True,
    config=_COMPACTED,
    about="The public profile of each practitioner as it is now.",
    events=(PractitionerProfile,),
)
CONTACTS = _topic(
    "booking.directory.contacts.v1",
    key="person_id",
    source="/booking/checkout",
    state=True,
    config=_FORGETTING,
    about="Contact data as they are now; a tombstone erases. Readable by notifier and consultation alone.",
    events=(PersonContact,),
)
ERASURES = _topic(
    "booking.directory.erasures.v1",
    key="person_id",
    source="/booking/checkout",
    config=_FOR_EVER,
    about="Who was erased; every service deletes what product.md E4 names.",
    events=(PersonErased,),
)
NOTIFICATIONS = _topic(
    "booking.notifier.notifications.v1",
    key="notification_id",
    source="/booking/notifier",
    state=True,
    config={**_EVERY, "cleanup.policy": "delete", "retention.ms": str(90 * _DAY_MS), "retention.bytes": "-1"},
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
    about="What each person chose, channels and language, as it is now; a tombstone erases.",
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
    config=_FOR_EVER,
    about="Completed assessments, written by the assessment service; `user_id` is written once.",
    events=(AssessmentCompleted,),
)

TOPICS: tuple[Topic, ...] = (
    TRANSACTIONS,
    SESSIONS,
    PRACTITIONERS,
    CONTACTS,
    ERASURES,
    NOTIFICATIONS,
    PREFERENCES,
    USER_SCHEDULE,
    ASSESSMENTS,
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


_PATIENCE = 15.0
"""Seconds that a broker may take to answer."""


class TopicMismatch(Exception):
    """A topic on the broker is missing or differs from the catalogue; the message says which and how."""


async def create_topics(
    bootstrap: str, prefix: str = "", replication: int = 1, topics: Sequence[Topic] = TOPICS
) -> None:
    """Create the topics that do not exist yet, with all their configs; those that exist are left as they are.

    With three replicas two must acknowledge (`min.insync.replicas`), with one the one.
    """
    async with _admin(bootstrap) as admin:
        response: Any = await admin.create_topics([_new(topic, prefix, replication) for topic in topics])
        for name, code, *message in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"could not create {name}: {message}")
        await _seen(admin, {prefix + topic.name for topic in topics})


async def assert_topics(bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS) -> None:
    """TopicMismatch unless every topic exists with the catalogue's partitions and configs (retention above all)."""
    missing, wrong = await compare_topics(bootstrap, prefix, topics)
    if found := [f"{name} is missing" for name in missing] + wrong:
        raise TopicMismatch("; ".join(found))


async def compare_topics(
    bootstrap: str, prefix: str = "", topics: Sequence[Topic] = TOPICS
) -> tuple[list[str], list[str]]:
    """The topics that are missing, and a sentence for each way in which one that exists is not as catalogued."""
    async with _admin(bootstrap) as admin:
        found = await _partitions(admin)
        missing = [prefix + topic.name for topic in topics if prefix + topic.name not in found]
        there = [topic for topic in topics if prefix + topic.name in found]
        wrong = [
            f"{prefix}{topic.name} has {found[prefix + topic.name]} partitions, not {topic.partitions}"
            for topic in there
            if found[prefix + topic.name] != topic.partitions
        ]
        configs = await _configs(admin, [prefix + topic.name for topic in there])
        wrong += [
            f"{prefix}{topic.name} has {name}={configs[prefix + topic.name].get(name)}, not {value}"
            for topic in there
            for name, value in topic.config.items()
            if configs[prefix + topic.name].get(name) != value
        ]
    return missing, wrong


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = await _connected(bootstrap)
    try:
        yield admin
    finally:
        await admin.close()


async def _connected(bootstrap: str) -> AIOKafkaAdminClient:
    """A broker listens some time before it takes part: asked again until it answers. Raises KafkaConnectionError."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="booking-topics")
        try:
            await admin.start()
        except KafkaConnectionError:
            await admin.close()
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return admin


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics() if not row["error_code"]}


async def _seen(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """A created topic reaches the brokers' metadata a moment later: whoever asked may produce at once."""
    async with asyncio.timeout(30):
        while True:
            if names <= (await _partitions(admin)).keys():
                return
            await asyncio.sleep(0.02)


def _new(topic: Topic, prefix: str, replication: int) -> NewTopic:
    configs = {**topic.config, "min.insync.replicas": "2" if replication >= 3 else "1"}
    return NewTopic(prefix + topic.name, topic.partitions, replication, topic_configs=configs)


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    found: dict[str, dict[str, str]] = {}
    responses: list[Any] = list(
        await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    )
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code:
                raise for_code(code)(f"could not read the configs of {name}: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
