"""How often one person may call: a token bucket per `sub` (GCRA), in this process only.

Copies of a service each allow the limit; a gateway that wants one limit for all sets its own (T6). Never per address:
gateways share one.
"""

import time

_MOST_KEPT = 100_000


class RateLimit:
    """`per_minute` requests a minute, as a burst or evenly; 0 switches it off."""

    def __init__(self, per_minute: int) -> None:
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._burst = 60.0 - self._interval
        self._due: dict[object, float] = {}

    def wait(self, who: object) -> float:
        """0 when the call is allowed (and counted), else the seconds until one will be."""
        if not self._interval:
            return 0.0
        now = time.monotonic()
        due = max(self._due.get(who, now), now)
        if due - now > self._burst:
            return due - now - self._burst
        if len(self._due) >= _MOST_KEPT:
            self._due = {key: at for key, at in self._due.items() if at > now}
        self._due[who] = due + self._interval
        return 0.0
