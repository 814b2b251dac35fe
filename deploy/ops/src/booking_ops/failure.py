"""How a command of this program says no: one sentence with what to do; a traceback with BOOKING_TRACEBACK=1 alone.

Exit codes: 0 good, 1 something differs or was refused, 2 misused, a setting is missing, or a server can't be used.
"""

import sys
from typing import Any

GOOD, DIFFERENT, UNUSABLE = 0, 1, 2
_SERVERS = {
    ("psycopg", "Error"): "PostgreSQL",
    ("booking_process.database", "DatabaseDownError"): "PostgreSQL",
    ("aiokafka.errors", "KafkaError"): "Kafka",
    ("httpx2", "HTTPError"): "A service",
}
"""By the module and class of what its client raises, which is loaded already when it can have been raised."""


class Failure(Exception):
    """Something that a person can put right; the message is that sentence."""

    code = UNUSABLE


class Refused(Failure):
    """Everything answered, and the answer is no."""

    code = DIFFERENT


def said(broken: BaseException) -> tuple[str, int]:
    """The sentence for what broke, of a group its first, and the exit code."""
    while isinstance(broken, BaseExceptionGroup) and broken.exceptions:
        broken = next((one for one in broken.exceptions if isinstance(one, Failure)), broken.exceptions[0])
    if isinstance(broken, Failure):
        return str(broken), broken.code
    words = " ".join(str(broken).split()).rstrip(".?") or type(broken).__name__
    for (module, name), server in _SERVERS.items():
        kind: Any = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(broken, kind):
            return (
                f"{server} can't be used: {getattr(broken, 'reason', '') or words}. Is its address right, is it up?",
                2,
            )
    if isinstance(broken, OSError):
        where = f": {broken.filename}" if broken.filename else ""
        return f"{broken.strerror or words}{where}. Are the addresses and files right?", UNUSABLE
    return f"{type(broken).__name__}: {words}. With BOOKING_TRACEBACK=1 it shows where.", UNUSABLE
