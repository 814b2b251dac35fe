"""Who asks, in which role and why; whoever was erased may do nothing (E4)."""

from datetime import UTC, datetime

from booking_contracts.ids import uuid7
from booking_store import Cause, CommandContext, FreeText
from booking_web.auth import Principal
from booking_web.conditions import UNCONDITIONAL, Conditions
from booking_web.context import Context
from booking_web.idempotency import IdempotencyKey
from booking_web.problems import Problem, forbidden

ROLES = ("member", "practitioner", "admin")


def person_erased() -> Problem:
    """What an erased person gets everywhere, whose token may still be valid."""
    return forbidden("person_erased", "This person was erased; nothing is kept of them or written again.")


CONSUMER = "checkout-sessions"
"""Its rows in `inbox` answer consistency tokens about sessions."""

ERASED = person_erased()
"""As the document shows it."""


def role_of(caller: Principal, *wanted: str) -> str:
    """Return the role in which somebody acts: the first of those wanted that they have, else of all."""
    return next((role for role in (*wanted, *ROLES) if caller.has(role)), "member")


def cause_of(caller: Principal, context: Context, *wanted: str) -> Cause:
    """Return the cause of what a person does."""
    return Cause(
        actor=caller.actor(role_of(caller, *wanted)),
        correlation_id=context.correlation_id,
        causation_id=context.request_id,
        traceparent=context.traceparent,
    )


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
    cause = cause_of(caller, context, role)
    text = FreeText(uuid7(), caller.sub, reason) if reason else None
    return CommandContext(cause, datetime.now(UTC), key, seen, text)


def by_system(correlation_id: str, *, actor: str = "system") -> CommandContext:
    """Return a request of a timer, or of a provider (`actor="service:midtrans"`)."""
    return CommandContext(Cause(actor, correlation_id), datetime.now(UTC))
