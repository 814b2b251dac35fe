"""The caller as a person: known to the directory from their first call on, whichever it is (api.md, E4)."""

from collections.abc import Awaitable, Callable

from booking_process.database import Database
from booking_store import Cause
from booking_web.auth import Caller
from booking_web.context import Context, RequestContext
from booking_web.principal import Principal
from booking_web.problems import forbidden
from checkout.directory import people

ROLES = ("member", "practitioner", "admin")
ERASED = forbidden("person_erased", "This person was erased; nothing is kept of them or written again.")
"""What an erased person gets everywhere, as the document shows it."""


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


def known_person(database: Database, zone: str) -> Callable[..., Awaitable[None]]:
    """Return a router's dependency: 403 for an erased person, else their claims are there after it.

    A service is no person: it has no contact data.
    """

    async def known(caller: Caller, context: RequestContext) -> None:
        if caller.has(*ROLES):
            async with database.autocommit() as conn:
                await people.present(conn, caller, cause_of(caller, context), zone)

    return known
