"""Meta's webhook: the handshake, and the statuses of messages, proved on the raw bytes."""

import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from booking_process.database import Database
from booking_web.problems import Problem, forbidden, problem_responses
from notifier import metrics
from notifier.whatsapp.statuses import apply_status
from notifier.whatsapp.webhook import genuine, statuses

VERIFIED = problem_responses(403, 422) | {200: {"content": {"text/plain": {"example": "1158201444"}}}}
BAD_SIGNATURE = Problem(401, "bad_signature", "X-Hub-Signature-256 does not prove this body.")


def router(
    database: Database,
    *,
    secrets: tuple[str, ...],
    verify_token: str,
    give_up_after: timedelta,
    committed: Callable[[], None],
) -> APIRouter:
    """The routes of `/v1/whatsapp/webhook`; no token of ours, Meta's own proof."""
    routes = APIRouter(prefix="/v1/whatsapp/webhook", tags=["whatsapp"])

    @routes.get("", response_class=PlainTextResponse, responses=VERIFIED)
    async def verify_webhook(
        mode: Annotated[str, Query(alias="hub.mode", max_length=40, description="`subscribe`.")] = "",
        token: Annotated[
            str, Query(alias="hub.verify_token", max_length=400, description="The secret that Meta was given.")
        ] = "",
        challenge: Annotated[str, Query(alias="hub.challenge", max_length=400, description="What to repeat.")] = "",
    ) -> str:
        """Meta's handshake: repeats the challenge to whoever knows the verify token."""
        known = hmac.compare_digest(token.encode(), verify_token.encode())
        if mode != "subscribe" or not known:
            raise forbidden("forbidden", "Not the verify token of this webhook.")
        return challenge

    @routes.post(
        "", status_code=200, response_class=Response, responses=problem_responses(400, BAD_SIGNATURE, 413, 503)
    )
    async def receive_statuses(request: Request) -> Response:
        """Statuses of messages. 200 for whatever is genuine, known or not: Meta would send it again for days."""
        raw = await request.body()
        if not genuine(raw, request.headers.get("x-hub-signature-256"), secrets):
            raise Problem(401, "bad_signature", "X-Hub-Signature-256 does not prove this body.")
        try:
            updates = statuses(raw)
        except ValueError:
            raise Problem(400, "bad_request", "The body is no JSON object.") from None
        for update in updates:
            async with database.transaction() as conn:
                known = await apply_status(conn, update, give_up_after)
            metrics.WEBHOOK_STATUSES.labels(update.status, str(known).lower()).inc()
        if updates:
            committed()
        return Response(status_code=200)

    return routes
