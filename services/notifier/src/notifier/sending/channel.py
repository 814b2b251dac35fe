"""What the sender needs of a channel. Two implementations: mail and WhatsApp."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from notifier.rules.delivery import Channel as ChannelName
from notifier.sending.outcome import Outcome
from notifier.texts.letter import Letter


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a recipient can be reached, as known at this moment."""

    email: str | None = None
    phone: str | None = None


class NoAddress(Exception):
    """Nobody knows an address of this recipient (yet): wait for it (N5)."""


class BadAddress(Exception):
    """The address is none that we would ever send to: terminal."""


class Channel(Protocol):
    """One way to reach people."""

    name: ChannelName

    def prepare(self, notification_id: UUID, letter: Letter, contact: Contact | None, now: datetime) -> Any:
        """The finished message, without any I/O. NoAddress, BadAddress, or any error of a text that cannot be made."""
        ...

    async def send(self, prepared: Any) -> Outcome:
        """Hand it over; never raises for what the network or the provider does."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...
