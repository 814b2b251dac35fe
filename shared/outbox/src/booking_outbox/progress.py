"""Liveness is progress (reliability.md, Liveness that works): a worker that has work and does not move is not alive."""

import time
from dataclasses import dataclass

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How a worker is getting on. ``moved_at`` is `time.monotonic()` of the last step, or of when there was nothing
    to do.

    ``waiting_for`` names what does not answer or forbids going on (``"kafka"``, ``"postgres"``, ``"operator"``):
    while it is set a restart would help nobody.
    """

    backlog: int
    moved_at: float
    waiting_for: str | None = None

    def alive(self, patience: float = PATIENCE_SECONDS) -> bool:
        """False for a backlog that has not moved for ``patience`` seconds while database and broker answer."""
        return self.backlog == 0 or self.waiting_for is not None or time.monotonic() - self.moved_at <= patience
