"""`/v1/payments/{provider}/notifications`: signed by the provider, no token (P4)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from booking_process.database import Database
from booking_store import Busy, Cause, CommandContext
from booking_web.context import RequestContext
from booking_web.problems import Problem, not_found, problem_responses, unavailable
from checkout.payments.provider import BadBodyError, BadSignatureError, Provider
from checkout.payments.receive import receive

MALFORMED = Problem(400, "malformed_json", "The body is no JSON object.")
BAD_SIGNATURE = Problem(401, "invalid_signature", "The notification is not signed by the provider.")
BUSY = unavailable("busy", "The Transaction keeps changing. Send it again.")


class Taken(BaseModel):
    """Stored; a repeat gets the same answer."""

    received: bool = True


def payments_router(database: Database, providers: Mapping[str, Provider], poke: Callable[[], None]) -> APIRouter:
    """Return the route for these configured providers."""
    router = APIRouter(prefix="/v1/payments", tags=["payments"])

    @router.post(
        "/{provider}/notifications", responses=problem_responses(MALFORMED, BAD_SIGNATURE, 404, 413, 503, BUSY)
    )
    async def notify_payment(
        provider: Annotated[str, Path(max_length=50, description="`midtrans` or `manual`.", examples=["midtrans"])],
        request: Request,
        context: RequestContext,
    ) -> Taken:
        """Take a provider's notification, verified on its raw bytes; 200 once it is stored, whatever it says."""
        found = providers.get(provider)
        if found is None:
            raise not_found("There is no such provider.")
        body = await request.body()
        try:
            found.verify(request.headers, body)
            said = found.parse(body)
        except BadBodyError:
            raise Problem(400, "malformed_json", "The body is no JSON object.") from None
        except BadSignatureError:
            raise Problem(401, "invalid_signature", "The notification is not signed by the provider.") from None
        cause = Cause(f"service:{found.name}", context.correlation_id, context.request_id, context.traceparent)
        try:
            if await receive(database, said, body, CommandContext(cause, datetime.now(UTC))):
                poke()
        except Busy:
            # Not stored, so not taken: the provider will come again (F77).
            raise unavailable("busy", "The Transaction keeps changing. Send it again.") from None
        return Taken()

    return router
