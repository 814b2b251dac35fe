"""Meta's webhook: the handshake, and the statuses of messages, proved on the raw bytes, read tolerantly (T22, F76).

Statuses come late, twice, out of order and for attempts whose answer we never saw. A message only ever moves forward:
`delivered` is final, `failed` counts only while nothing better is known.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, LiteralString, get_args
from uuid import UUID

import psycopg
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import Counter
from psycopg.sql import SQL

from booking_process.database import Database
from booking_web.problems import Problem, forbidden, problem_responses
from notifier.ledger.store import ledger_update
from notifier.sending.breaker import probe_delivered, probe_sent, suspend
from notifier.sending.channel import ProviderDown, Refused
from notifier.whatsapp.channel import outcome_of

VERIFIED = problem_responses(403, 422) | {200: {"content": {"text/plain": {"example": "1158201444"}}}}
BAD_SIGNATURE = Problem(401, "invalid_signature", "X-Hub-Signature-256 does not prove this body.")
Status = Literal["sent", "delivered", "read", "failed"]
_STATUSES = Counter(
    "notifier_whatsapp_statuses_total",
    "Status updates of WhatsApp by status and whether their message is known",
    ["status", "known"],
)

for _status in get_args(Status):
    for _known in ("true", "false"):
        _STATUSES.labels(_status, _known)

# By our own id first: for a message whose answer was lost there is no wamid here yet (F85).
_MESSAGE: LiteralString = """n.channel = 'whatsapp' AND n.id = coalesce(%(id)s,
    (SELECT id FROM notification WHERE provider_message_id = %(wamid)s AND channel = 'whatsapp' LIMIT 1))"""
# The wamid of another attempt than the last known one says nothing of that one's failure.
_SAME_WAMID: LiteralString = (
    "(n.provider_message_id IS NULL OR %(wamid)s::text IS NULL OR n.provider_message_id = %(wamid)s)"
)

_SENT = ledger_update(
    """state = 'sent', reason = NULL, sending_until = NULL, not_before = NULL,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    # Not a fresh `pending`: an admin's resend must not be called off by a late word about the attempt before.
    f"{_MESSAGE} AND (n.state IN ('sending', 'ambiguous'))",
)
_DELIVERED = ledger_update(
    """state = 'delivered', reason = NULL, sending_until = NULL, not_before = NULL, delivered_at = %(at)s,
       provider_message_id = coalesce(%(wamid)s, n.provider_message_id)""",
    f"{_MESSAGE} AND n.state IN ('sending', 'ambiguous', 'sent', 'failed')",
)
# What a failure after acceptance comes to. For good: this recipient, or this message; after so many tries; or after so
# long. Else it is tried again, as if it had been refused for now (F84), later and later.
_ENDS: LiteralString = """(%(for_good)s OR (NOT %(us)s AND n.attempts >= %(most)s)
    OR greatest(n.due_at, n.queued_at) < clock_timestamp() - %(give_up)s::interval)"""
_LATER: LiteralString = "clock_timestamp() + make_interval(secs => least(5 * 2 ^ least(n.attempts - 1, 10), 900))"
_FAILED = ledger_update(
    f"""state = CASE WHEN {_ENDS} THEN 'failed' ELSE 'pending' END, reason = %(code)s, sending_until = NULL,
       not_before = CASE WHEN {_ENDS} THEN NULL ELSE {_LATER} END,
       provider_message_id = CASE WHEN {_ENDS} THEN coalesce(%(wamid)s, n.provider_message_id) END""",
    f"{_MESSAGE} AND n.state IN ('sent', 'ambiguous') AND {_SAME_WAMID}",
)
# Reported before the answer of the very call came back here: noted beside the attempt, for `record_outcome` to find. No
# version and no mark, the message is still `sending`. Without a next instant it is for good, as everywhere in the
# ledger.
_LOCK = SQL("SELECT 1 FROM notification n WHERE {} FOR UPDATE").format(SQL(_MESSAGE)).as_bytes()
_NOTE = SQL("""
UPDATE notification n SET reason = %(code)s, provider_message_id = coalesce(%(wamid)s, n.provider_message_id),
    not_before = CASE WHEN {} THEN NULL ELSE {} END
WHERE {} AND n.state = 'sending'""").format(SQL(_ENDS), SQL(_LATER), SQL(_MESSAGE))
_PRESENT = SQL("SELECT n.id FROM notification n WHERE {} AND {}").format(SQL(_MESSAGE), SQL(_SAME_WAMID)).as_bytes()
MOST_TRIES = 8
"""So often a message is handed over that WhatsApp takes and then fails for a reason that passes: over ten minutes."""


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
    async def verify_whatsapp_webhook(
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
    async def receive_whatsapp_statuses(request: Request) -> Response:
        """Statuses of messages. 200 for whatever is genuine, known or not: Meta would send it again for days."""
        raw = await request.body()
        if not genuine(raw, request.headers.get("x-hub-signature-256"), secrets):
            raise Problem(401, "invalid_signature", "X-Hub-Signature-256 does not prove this body.")
        try:
            updates = statuses(raw)
        except ValueError:
            raise Problem(400, "bad_request", "The body is no JSON object.") from None
        for update in updates:
            async with database.transaction() as conn:
                known = await apply_status(conn, update, give_up_after)
            _STATUSES.labels(update.status, str(known).lower()).inc()
        if updates:
            committed()
        return Response(status_code=200)

    return routes


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """One status of one message. Statuses come unordered and twice, and `delivered` may be left out."""

    status: Status
    wamid: str | None
    notification_id: UUID | None
    at: datetime
    code: int | None


def genuine(raw: bytes, signature: str | None, secrets: tuple[str, ...]) -> bool:
    """Whether `X-Hub-Signature-256` proves these exact bytes by one of the secrets (several while one is rotated)."""
    given = (signature or "").removeprefix("sha256=").encode("utf-8", "replace")
    # Every secret is tried, in constant time each: the time taken tells nothing.
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode(), given)
        for secret in secrets
        if secret
    ]
    return any(matches)


def statuses(raw: bytes) -> list[StatusUpdate]:
    """The statuses in a webhook's body, unknown shapes left out; ValueError if it is no JSON object."""
    try:
        document = json.loads(raw)
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    if isinstance(document, dict):
        return [update for value in _values(document) if (update := _update(value)) is not None]
    raise ValueError("not a JSON object")


def _values(document: dict[str, Any]) -> Iterator[Any]:
    for entry in _list(document.get("entry")):
        for change in _list(_get(entry, "changes")):
            yield from _list(_get(_get(change, "value"), "statuses"))


def _update(value: Any) -> StatusUpdate | None:
    status = _get(value, "status")
    if status not in ("sent", "delivered", "read", "failed"):
        return None
    wamid = _get(value, "id")
    return StatusUpdate(
        status=status,
        wamid=wamid
        if isinstance(wamid, str) and len(wamid) <= 200 and wamid.isascii() and wamid.isprintable()
        else None,
        notification_id=_uuid(_get(value, "biz_opaque_callback_data")),
        at=_instant(_get(value, "timestamp")),
        code=_code(_get(value, "errors")),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _code(errors: Any) -> int | None:
    code = _get(_list(errors)[0] if _list(errors) else None, "code")
    return code if isinstance(code, int) else None


async def apply_status(conn: psycopg.AsyncConnection[Any], update: StatusUpdate, give_up_after: timedelta) -> bool:
    """Take one status over, within the caller's transaction; whether it was about a message of ours and changed it.

    A failure that is about our account suspends the whole channel (`sending/breaker.py`); a message that gets
    through proves that it does no more.
    """
    values: dict[str, Any] = {"id": update.notification_id, "wamid": update.wamid, "at": update.at}
    match update.status:
        case "failed":
            return await _failed(conn, update, values, give_up_after)
        case "sent":
            await _proves(conn, values, probe_sent)
            statement = _SENT
        case "delivered" | "read":
            await _proves(conn, values, probe_delivered)
            statement = _DELIVERED
    return (await conn.execute(statement, values)).rowcount > 0


async def _failed(
    conn: psycopg.AsyncConnection[Any], update: StatusUpdate, values: dict[str, Any], give_up_after: timedelta
) -> bool:
    # Without a code it failed all the same, and nobody knows why: for good.
    outcome = outcome_of(update.code, 400, None) if update.code is not None else Refused("whatsapp_failed")
    us, for_good = isinstance(outcome, ProviderDown) and outcome.alarm, isinstance(outcome, Refused)
    values |= {"code": outcome.code, "for_good": for_good, "us": us, "most": MOST_TRIES, "give_up": give_up_after}
    if for_good:
        await _proves(conn, values, probe_sent)
    # Locked, so that it is `sending` for both statements or for neither.
    await conn.execute(_LOCK, values)
    known = (await conn.execute(_NOTE, values)).rowcount > 0 or (await conn.execute(_FAILED, values)).rowcount > 0
    if known and us:
        await suspend(conn, "whatsapp", outcome.code)
    return known


async def _proves(
    conn: psycopg.AsyncConnection[Any], values: dict[str, Any], what: Callable[..., Awaitable[None]]
) -> None:
    """Tell of the message that it got through, by its present attempt."""
    row = await (await conn.execute(_PRESENT, values)).fetchone()
    if row is not None:
        await what(conn, "whatsapp", row[0])
