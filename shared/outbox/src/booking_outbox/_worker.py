"""What is said of a worker: how it is getting on, and where a test may kill its process, exactly there."""

import os
import signal
import time
from dataclasses import dataclass
from itertools import count

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Liveness is progress (reliability.md, Liveness that works): a worker with work that does not move is not alive.

    ``moved_at`` is `time.monotonic()` of the last step, or of when there was nothing to do.

    ``waiting_for`` names what does not answer or forbids going on (``"kafka"``, ``"postgres"``, ``"operator"``):
    while it is set a restart would help nobody.
    """

    backlog: int
    moved_at: float
    waiting_for: str | None = None

    def alive(self, patience: float = PATIENCE_SECONDS) -> bool:
        """False for a backlog that has not moved for ``patience`` seconds while database and broker answer."""
        return self.backlog == 0 or self.waiting_for is not None or time.monotonic() - self.moved_at <= patience


_name, _, _passage = os.environ.get("CRASH_AT", "").partition("@")
_passages = count(1)


def crash_point(name: str) -> None:
    """SIGKILL to this process when CRASH_AT names this point: no handler, no finally, no flush.

    ``CRASH_AT=relay.after_ack`` kills at the first passage, ``CRASH_AT=relay.after_ack@3`` at the third. Unset
    (production): one comparison per passage.
    """
    if name == _name and next(_passages) == int(_passage or 1):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
