"""What one attempt came to. Every answer, silence and cut of a provider is exactly one of these.

    Outcome
    ├── Accepted      the provider has taken it over
    ├── Refused       the provider will never take it: terminal
    ├── Later         not taken; this recipient, or this message, again after a while
    ├── ProviderDown  not taken, and nobody else's would be: the whole channel waits
    └── Unknown       the cut came where the provider may already have taken it (N3's one exception)

`code` is a short machine word (`smtp_550`, `whatsapp_131026`), never the provider's text, which may hold an address.
"""

from dataclasses import dataclass


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


Outcome = Accepted | Refused | Later | ProviderDown | Unknown
