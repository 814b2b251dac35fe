"""Figures of the domain for /metrics: commands by outcome, the append's latency, how late timers fire."""

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from booking_store import CommandError, Refused, Stale, StoreError
from consultation.errors import AlreadyRequested, Overlapped

COMMANDS = Counter("consultation_commands_total", "Commands by what they came to.", ["command", "outcome"])
APPEND_SECONDS = Histogram(
    "consultation_append_seconds",
    "How long an append takes, its commit included.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
)
TIMER_LATENESS = Histogram(
    "consultation_timer_lateness_seconds",
    "How long after its time a timer acted.",
    ["timer"],
    buckets=(1, 2, 5, 15, 60, 300, 3600, 86400),
)


@contextmanager
def counted(command: str) -> Generator[None]:
    """Count one attempt at a command by what it comes to."""
    try:
        yield
    except (CommandError, StoreError) as error:
        COMMANDS.labels(command, _outcome(error)).inc()
        raise
    COMMANDS.labels(command, "accepted").inc()


def _outcome(error: Exception) -> str:
    match error:
        case Refused():
            return error.refusal.code
        case Stale():
            return "stale_version"
        case Overlapped():
            return "overlap"
        case AlreadyRequested():
            return "transaction_used" if error.used else "active_session_exists"
        case _:
            return "conflict"
