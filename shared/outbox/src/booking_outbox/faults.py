"""Fault points: places where a test may kill the process, exactly there.

``CRASH_AT=relay.after_ack`` kills at the first passage, ``CRASH_AT=relay.after_ack@3`` at the third. Unset
(production): one comparison per passage.
"""

import os
import signal
from itertools import count

_name, _, _passage = os.environ.get("CRASH_AT", "").partition("@")
_passages = count(1)


def crash_point(name: str) -> None:
    """SIGKILL to this process when CRASH_AT names this point: no handler, no finally, no flush."""
    if name == _name and next(_passages) == int(_passage or 1):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
