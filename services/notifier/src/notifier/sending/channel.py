"""What the sender needs of a channel, mail or WhatsApp, and what one attempt comes to.

Every answer, silence and cut of a provider is exactly one outcome:

    Outcome
    ├── Accepted      the provider has taken it over
    ├── Refused       the provider will never take it: terminal
    ├── Later         not taken; this recipient, or this message, again after a while
    ├── ProviderDown  not taken, and nobody else's would be: the whole channel waits
    └── Unknown       the cut came where the provider may already have taken it (N3's one exception)

`code` is a short machine word (`smtp_550`, `whatsapp_131026`), never the provider's text, which may hold an address.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from notifier.rules import Channel as ChannelName
from notifier.texts.letter import Letter


@dataclass(frozen=True, slots=True)
class Accepted:
    """Taken over; `provider_message_id` where the provider named one."""

    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for good."""

    code: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not taken. `retry_after` in seconds where the provider asked for it."""

    code: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderDown:
    """Not taken by anybody. `alarm`: waiting alone will not heal it, a person must (a token, a password).

    `perhaps_this_one`: it was said of one message, and may be about that one alone although its words speak of us. Then
    that message waits longer from try to try, and is given up like one that is refused for now.
    """

    code: str
    retry_after: float | None = None
    alarm: bool = False
    perhaps_this_one: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Perhaps taken."""

    code: str


Failure = Refused | Later | ProviderDown | Unknown
Outcome = Accepted | Failure


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

    def prepare(self, notification_id: UUID, letter: Letter, contact: Contact | None, now: datetime, /) -> Any:
        """The finished message, without any I/O. NoAddress, BadAddress, or any error of a text that cannot be made."""
        ...

    async def send(self, prepared: Any) -> Outcome:
        """Hand it over; never raises for what the network or the provider does."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...
