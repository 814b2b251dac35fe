"""Whether, by which channel and in which language a message leaves: what a person chose (N2), what still holds (N4).

Channels are looked at as a message is written down and again, like all else here, in the moment before it is sent
(reliability.md F87).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from booking_web.languages import Language, language_for
from notifier.rules.table import ADMINS, Fence

Channel = Literal["email", "whatsapp"]
CHANNELS: tuple[Channel, ...] = ("email", "whatsapp")
SkipReason = Literal["before_send_from", "erased", "superseded", "late", "channel_off"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person chose. Who never chose gets both channels, in the language of their profile."""

    email: bool = True
    whatsapp: bool = True
    language: Language | None = None


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


def language(preferences: Preferences, profile_locale: str | None) -> Language:
    """The chosen language, else that of the profile's locale (`en`, `en-GB`, ...), else Indonesian."""
    return language_for(preferences.language, profile_locale, None)


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
