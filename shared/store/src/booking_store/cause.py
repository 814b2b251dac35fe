"""Who caused an event, and what came before it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Cause:
    """The part of the envelope that comes from the caller, equal for all events of one command.

    ``actor`` is ``member:<uuid>``, ``practitioner:<uuid>``, ``admin:<uuid>``, ``service:<name>`` or ``system``.
    """

    actor: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


class IdempotencyKey(Protocol):
    """What the store needs of a request's idempotency key; ``sha`` is the digest of path and body."""

    @property
    def sub(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sha(self) -> bytes: ...
