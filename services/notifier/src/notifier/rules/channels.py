"""Which channels and which language a person gets (N2)."""

from dataclasses import dataclass
from typing import Literal

from booking_web.languages import Language, language_for
from notifier.rules.decide import ADMINS

Channel = Literal["email", "whatsapp"]

CHANNELS: tuple[Channel, ...] = ("email", "whatsapp")


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
