"""When a call is sent again, and how long that may go on.

Reads are safe, and commands carry one Idempotency-Key through all tries, so that any of them may have been done.
"""

import random
from dataclasses import dataclass

import httpx2

AGAIN = frozenset({408, 429, 502, 503, 504})
"""Statuses that pass. 500 does not: it is a fault, which another try would only log again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. What a call asks a service to wait for (`wait`, `wait_for_seconds`) comes on top of the first two."""

    deadline: float = 30.0
    """For all tries of a call; the last refusal, or Unanswered, is raised rather than waiting beyond it."""
    attempt: float = 15.0
    """For one try; a service gives up waiting for its database after 12."""
    unreachable: float | None = None
    """For all tries to which no connection could be made, if that is to be told sooner: nothing was sent."""
    first_pause: float = 0.1
    longest_pause: float = 5.0

    def end(self, broken: Exception, began: float, until: float) -> float:
        """When to give up after such a failure: `until`, unless nobody can be reached."""
        if self.unreachable is None or not isinstance(broken, httpx2.ConnectError | httpx2.ConnectTimeout):
            return until
        return min(until, began + self.unreachable)

    def pause(self, tries: int, retry_after: str | None = None) -> float:
        """After so many tries: doubled each time, by chance up to a half shorter, and never less than what was told."""
        most = min(self.longest_pause, self.first_pause * 2 ** min(tries - 1, 20))
        told = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        return max(told, most * random.uniform(0.5, 1.0))  # noqa: S311  (not for secrets)
