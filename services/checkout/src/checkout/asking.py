"""Who asks for a command, and how: what handlers need besides the command itself."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from booking_store import Cause
from booking_web.context import Context
from booking_web.etag import UNCONDITIONAL, Conditions
from booking_web.idempotency import IdempotencyKey
from booking_web.principal import Principal


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a command. `seen`: which version the caller decided on."""

    cause: Cause
    now: datetime
    owner: UUID | None = None  # whose Transaction it must be; None: anyone's (an admin, a provider, a timer)
    author: UUID | None = None
    key: IdempotencyKey | None = None
    seen: Conditions = UNCONDITIONAL


def by_person(
    caller: Principal,
    context: Context,
    *,
    role: str,
    key: IdempotencyKey | None = None,
    seen: Conditions = UNCONDITIONAL,
) -> Asked:
    """Return a person's request in that role; an admin's may be for anyone's Transaction (E1)."""
    cause = Cause(
        actor=caller.actor(role),
        correlation_id=context.correlation_id,
        causation_id=context.request_id,
        traceparent=context.traceparent,
    )
    owner = None if role == "admin" else caller.sub
    return Asked(cause, datetime.now(UTC), owner, caller.sub, key, seen)


def by_system(correlation_id: str, *, actor: str = "system") -> Asked:
    """Return a request of a timer, or of a provider (`actor="service:midtrans"`)."""
    return Asked(Cause(actor=actor, correlation_id=correlation_id), datetime.now(UTC))
