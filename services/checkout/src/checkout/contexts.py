"""Who asks for a command, and how, as the command handler wants to know it."""

from datetime import UTC, datetime

from booking_contracts.ids import uuid7
from booking_store import Cause, CommandContext, FreeText
from booking_web.context import Context
from booking_web.etag import UNCONDITIONAL, Conditions
from booking_web.idempotency import IdempotencyKey
from booking_web.principal import Principal


def by_person(
    caller: Principal,
    context: Context,
    *,
    role: str,
    key: IdempotencyKey | None = None,
    seen: Conditions = UNCONDITIONAL,
    reason: str | None = None,
) -> CommandContext:
    """Return a person's request in that role, with their reason in their own words."""
    cause = Cause(
        actor=caller.actor(role),
        correlation_id=context.correlation_id,
        causation_id=context.request_id,
        traceparent=context.traceparent,
    )
    text = FreeText(uuid7(), caller.sub, reason) if reason else None
    return CommandContext(cause, datetime.now(UTC), key, seen, text)


def by_system(correlation_id: str, *, actor: str = "system") -> CommandContext:
    """Return a request of a timer, or of a provider (`actor="service:midtrans"`)."""
    return CommandContext(Cause(actor, correlation_id), datetime.now(UTC))
