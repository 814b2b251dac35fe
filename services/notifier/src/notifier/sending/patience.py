"""How long to wait: after which refusal, for which address, with a provider that is down."""

import random
import time
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    """The waits of one channel. All of them delay only; none drops a message but `give_up_after`, which records it."""

    send_timeout: float = 60.0
    """Seconds that one whole send may take (F81). Generous: giving up on a slow server makes the message ambiguous."""
    pace: float = 0.0
    """Seconds between two messages to one recipient; WhatsApp allows about one in six seconds (131056)."""
    burst: int = 1
    """How many may leave at once before the pace counts."""
    address_wait: timedelta = timedelta(minutes=15)
    """How long a missing address is waited for (N5)."""
    ambiguous_wait: timedelta = timedelta(seconds=5)
    """How long the provider's own status is waited for before the one more try (F85)."""
    give_up_after: timedelta = timedelta(hours=72)
    """A recipient refused with "not now" for so long is recorded as failed."""
    lease: float = 15.0
    """Seconds without a sign of its worker after which an attempt without a record counts as a crash (F86)."""


def backoff(attempts: int, age: timedelta, *, retry_after: float | None = None) -> float:
    """Seconds until this recipient is tried again: 5, 10, 20, ... at most a minute in the first hour, then a quarter.

    Never less than the provider asked for. Jittered downwards so that a crowd of refusals does not come back as one.
    """
    cap = 55.0 if age < timedelta(hours=1) else 900.0
    delay = min(5.0 * 2 ** min(attempts - 1, 10), cap) * random.uniform(0.8, 1.0)  # noqa: S311 - jitter
    return max(delay, retry_after or 0.0)


class Breaker:
    """A provider that is down is asked by one message at a time, with growing pauses; the others wait untouched.

    Without it an outage would spend an attempt of every waiting message every few seconds.
    """

    def __init__(self, longest: float = 20.0) -> None:
        self._longest = longest
        self._failures = 0
        self._closed_until = 0.0

    @property
    def is_trying(self) -> bool:
        """Whether the provider was down when last asked: then only one message may ask again."""
        return self._failures > 0

    def wait_seconds(self) -> float:
        """How long nobody may ask."""
        return max(0.0, self._closed_until - time.monotonic())

    def failed(self, retry_after: float | None = None) -> float:
        """The provider is down; the seconds until it is asked again."""
        self._failures += 1
        pause = min(2.0 ** min(self._failures - 1, 10), self._longest) * random.uniform(0.8, 1.0)  # noqa: S311 - jitter
        pause = max(pause, retry_after or 0.0)
        self._closed_until = max(self._closed_until, time.monotonic() + pause)
        return pause

    def doubted(self) -> None:
        """Nobody knows what it did with a message: until it answers again one message at a time, so that a provider
        that takes and hangs makes few messages ambiguous and not all."""
        self._failures = max(self._failures, 1)
        self._closed_until = max(self._closed_until, time.monotonic() + 1.0)

    def answered(self) -> None:
        """The provider took or judged a message: it is there."""
        self._failures = 0
        self._closed_until = 0.0
