"""When a delivery is tried: ten times within three days, as the Standard Webhooks specification recommends."""

import random
from dataclasses import dataclass

_SECOND, _MINUTE, _HOUR = 1.0, 60.0, 3600.0

DELAYS = (
    *(5 * _SECOND, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR),
    *(10 * _HOUR, 14 * _HOUR, 17 * _HOUR, 24 * _HOUR),
)
"""Seconds from the end of each try to the next; the last one is 72 hours and 35 minutes after the first."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The waits of one delivery, and those between tries of one endpoint that fails."""

    delays: tuple[float, ...] = DELAYS
    jitter: float = 0.1
    """By how much of itself a wait may grow, so that what failed together does not come back together."""
    first_pause: float = 1.0
    longest_pause: float = 60.0
    lease: float = 30.0
    """Seconds after which a try without a record counts as a crash; longer than any try may take."""
    recover_every: float = 5.0
    """Seconds between two looks for tries without an end."""
    under_way: int = 4
    """How many tries one endpoint may have at once; one while it fails."""

    def wait(self, tries: int, *, retry_after: float | None = None) -> float | None:
        """Seconds until the next try after so many; None when that was the last one."""
        if tries > len(self.delays):
            return None
        grown = self.delays[tries - 1] * (1 + random.uniform(0, self.jitter))  # noqa: S311 - no secret
        return max(grown, retry_after or 0.0)
