"""How a command of this package says no: one sentence with what to do, exit code 1, never a traceback.

BOOKING_TRACEBACK=1 shows the traceback instead, for whoever looks for a fault of this program.
"""

import errno
import sys
from typing import Any

DISK_FULL = "The disk of {folder} is full: free some space, then run the same command again."
_SPACE = "Free some space, then run the same command again."
_STATE = "Is the stack up? `booking status` tells; `booking logs` says more."
_THE_MACHINES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: "Run this as the folder's owner, or name a folder of yours with --state.",
    errno.EPERM: "Run this as the stack's owner.",
    errno.EROFS: "Name a folder that can be written to with --state.",
}
"""What a person can put right about the machine, by errno."""

_SERVERS = {
    ("psycopg", "Error"): "PostgreSQL",
    ("aiokafka.errors", "KafkaError"): "Kafka",
    ("httpx2", "HTTPError"): "A service",
}
"""By the module and class of what its client raises, which is loaded already when it can have been raised."""


class Failure(Exception):
    """Something that a person can put right. The message is that sentence."""


def first_cause(broken: BaseException) -> BaseException:
    """The one of a group that a person can put right, else its first."""
    while isinstance(broken, BaseExceptionGroup) and broken.exceptions:
        broken = next((one for one in broken.exceptions if isinstance(one, Failure)), broken.exceptions[0])
    return broken


def sentence(broken: BaseException) -> str:
    """The sentence for the first cause of it that a person can put right."""
    broken = first_cause(broken)
    if isinstance(broken, Failure):
        return str(broken)
    words = " ".join(str(broken).split()).rstrip(".?") or type(broken).__name__
    for (module, name), server in _SERVERS.items():
        kind: Any = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(broken, kind):
            return f"{server} can't be used: {words}. {_SPACE if 'No space left' in words else _STATE}"
    if isinstance(broken, OSError):
        number = broken.errno or 0
        where = f": {broken.filename}" if broken.filename else ""
        return f"{broken.strerror or words}{where}. {_THE_MACHINES.get(number, _STATE)}"
    if isinstance(broken, TimeoutError):
        return f"No answer in time. {_STATE}"
    return f"{type(broken).__name__}: {words}. {_STATE} With BOOKING_TRACEBACK=1 it shows where."
