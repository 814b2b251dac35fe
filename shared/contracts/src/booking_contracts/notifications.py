"""The latest step of each message, told by notifier on `booking.notifier.notifications.v1`. No contact data (E4)."""

from typing import ClassVar, Literal
from uuid import UUID

from booking_contracts.event import Attempt, Channel, Code, Event, Instant, Recipient

NotificationStatus = Literal["pending", "sending", "sent", "delivered", "failed", "ambiguous", "skipped"]


class NotificationEvent(Event):
    """What every step of a message carries."""

    NAMESPACE: ClassVar[str] = "com.booking.notifier"
    notification_id: UUID


class NotificationRequested(NotificationEvent):
    """An event, or a timer that an event set, asks for one message to one recipient by one channel (N3).
    Analytics reads it; notifier sends it when due."""

    cause_event_id: UUID
    recipient_id: Recipient
    channel: Channel
    template: Code
    locale: Code
    session_id: UUID | None = None
    transaction_id: UUID | None = None
    due_at: Instant


class _LaterStep(NotificationEvent):
    """Steps may be missing, so each says anew what the message is; those of before the contract's 2.2.0 don't."""

    recipient_id: Recipient | None = None
    channel: Channel | None = None
    template: Code | None = None
    session_id: UUID | None = None
    transaction_id: UUID | None = None


class NotificationSent(_LaterStep):
    """The provider accepted the message (N3). Analytics reads it."""

    attempt: Attempt
    provider_message_id: Code | None = None


class NotificationDelivered(_LaterStep):
    """The provider reported that the message arrived (N3). Analytics reads it."""

    attempt: Attempt
    at: Instant


class NotificationFailed(_LaterStep):
    """The message was refused for good, or there was no address (N5). Admins see it."""

    attempt: Attempt
    code: Code


class NotificationAmbiguous(_LaterStep):
    """A crash or cut between the provider's acceptance and our record: it may or may not have left (N3). Tried again at
    most once; admins see it."""

    attempt: Attempt
    code: Code


class NotificationSkipped(_LaterStep):
    """The message was no longer useful: canceled, moved, too late, or older than this notifier (N3, N4).
    Admins see it."""

    attempt: Attempt
    reason: Code
