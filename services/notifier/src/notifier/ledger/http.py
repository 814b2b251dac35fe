"""The ledger over HTTP: own messages, an admin's view of all, and an admin's order to send again."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, get_args
from uuid import UUID

import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Response
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from booking_contracts.event import RECIPIENT
from booking_contracts.notifications import NotificationStatus
from booking_contracts.topics import PRACTITIONERS, SESSIONS, TRANSACTIONS
from booking_process.database import Database, Filtered
from booking_web.auth import AdminCaller, Caller, Principal
from booking_web.consistency import Consistency, stamp
from booking_web.idempotency import Written
from booking_web.instants import InstantOut
from booking_web.languages import Language
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import Members, Problem, conflict, not_found, problem_responses
from booking_web.writes import WriteCall
from notifier.ledger.store import ledger_update
from notifier.rules import Channel, Template
from notifier.tables import notification

TOPICS_OF_TOKENS = {
    "checkout:transaction": TRANSACTIONS.name,
    "checkout:practitioner": PRACTITIONERS.name,
    "consultation:session": SESSIONS.name,
}

_RESEND = ledger_update(
    """state = 'pending', reason = NULL, ambiguities = 0, queued_at = clock_timestamp(), not_before = clock_timestamp(),
       provider_message_id = NULL, delivered_at = NULL""",
    "n.id = %(id)s",
)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What of the ledger the caller wants to see."""

    recipient_id: Annotated[str | None, Query(pattern=RECIPIENT.pattern, description="A person's id, or `admins`.")] = (
        None
    )
    status: Annotated[NotificationStatus | None, Query(description="Only these.")] = None
    channel: Annotated[Channel | None, Query(description="Only by this channel.")] = None
    session_id: Annotated[UUID | None, Query(description="Only of this session.")] = None
    transaction_id: Annotated[UUID | None, Query(description="Only of this Transaction.")] = None


Chosen = Annotated[_Choice, Depends()]


ENUMERATIONS = {
    "NotificationStatus": get_args(NotificationStatus),
    "NotificationChannel": get_args(Channel),
    "WordsLocale": get_args(Language),
}
OPEN_ENUMERATIONS = {"NotificationTemplate": get_args(Template)}
"""What the document calls by name; the open ones may grow."""


class WrongStatus(Members, title="NotificationWrongStatusProblem"):
    """How far the message is."""

    current_status: NotificationStatus


def on_its_way(status: NotificationStatus) -> Problem:
    """409: it need not be sent again."""
    return conflict("wrong_status", "The message is on its way already.", WrongStatus(current_status=status))


class Notification(BaseModel):
    """One message: what caused it, to whom, how, and what became of it. No contact data."""

    id: UUID
    cause_event_id: UUID
    recipient_id: str = Field(examples=["0198d2a0-4444-7000-8000-000000000004"])
    channel: Channel
    template: Template = Field(examples=["session_scheduled"])
    locale: Language
    status: NotificationStatus = Field(examples=["pending"])
    reason: str | None = Field(examples=[None])
    attempts: int
    due_at: InstantOut
    session_id: UUID | None
    transaction_id: UUID | None
    provider_message_id: str | None = Field(examples=[None])
    delivered_at: InstantOut | None = Field(examples=[None])
    changed_at: InstantOut
    version: int


def _column(field: str) -> sa.ColumnElement[Any]:
    return notification.c.state.label("status") if field == "status" else notification.c[field]


_NOTIFICATIONS = Filtered(
    sa.select(*map(_column, Notification.model_fields)).order_by(notification.c.id.desc()),
    id=notification.c.id,
    recipient_id=notification.c.recipient_id,
    status=notification.c.state,
    channel=notification.c.channel,
    session_id=notification.c.session_id,
    transaction_id=notification.c.transaction_id,
    before=notification.c.id < sa.bindparam("before"),
)


def router(database: Database, consumer: str, committed: Callable[[], None]) -> APIRouter:
    """The routes of `/v1/notifications`. `consumer` is the name under which records are taken over."""
    routes = APIRouter(prefix="/v1/notifications", tags=["notifications"])

    @routes.get("", response_model=PageOf[Notification], responses=problem_responses(401, 422, 429, 503))
    async def list_notifications(caller: Caller, page: Page, wish: Consistency, chosen: Chosen) -> Any:
        """The caller's own messages, newest first; an admin's list holds everybody's, those to `admins` too."""
        await wish.visible(database, consumer, TOPICS_OF_TOKENS)
        values = asdict(chosen)
        if not caller.has("admin"):
            if values["recipient_id"] not in (None, str(caller.sub)):
                return page_of([], None)
            values["recipient_id"] = str(caller.sub)
        if page.cursor:
            (values["before"],) = decode_cursor(page.cursor, UUID, of="notifications")
        async with database.autocommit() as conn:
            rows = await _NOTIFICATIONS.fetch(conn.cursor(row_factory=dict_row), limit=page.limit + 1, **values)
        items, more = rows[: page.limit], rows[page.limit :]
        return page_of(items, encode_cursor(items[-1]["id"], of="notifications") if more else None)

    @routes.get("/{notification_id}", response_model=Notification, responses=problem_responses(401, 404, 422, 429, 503))
    async def get_notification(notification_id: UUID, caller: Caller, response: Response, wish: Consistency) -> Any:
        """One message of the caller's own; an admin reads any."""
        await wish.visible(database, consumer, TOPICS_OF_TOKENS)
        async with database.autocommit() as conn:
            row = await _one(conn, notification_id, caller)
        return _stamped(response, Notification(**row))

    @routes.post(
        "/{notification_id}/resend",
        response_model=Notification,
        responses=problem_responses(401, 403, 404, on_its_way("sending"), 412, 422, 429, 503),
    )
    async def resend_notification(
        notification_id: UUID,
        caller: AdminCaller,
        call: WriteCall,
    ) -> Any:
        """Send a settled message again. A reminder whose session has moved since is skipped again (N4)."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            row = await _one(conn, notification_id, caller, lock=True)
            call.conditions.check(row["version"])
            if row["status"] in ("pending", "sending"):
                raise on_its_way(row["status"])
            await conn.execute(_RESEND, {"id": notification_id})
            answer = Notification(**await _one(conn, notification_id, caller))
            return Written(200, notification_id, answer.version, answer)

        written, _ = await call.idempotency.once(database, change)
        committed()
        answer = written.body(Notification)
        if answer is None:  # an answer that was not kept
            async with database.autocommit() as conn:
                answer = Notification(**await _one(conn, notification_id, caller))
        return _stamped(call.response, answer)

    return routes


def _stamped(response: Response, shown: Notification) -> Notification:
    # While a message waits its reason is noted without a version: only steps are published.
    stamp(response, "notifier", "notification", shown.id, shown.version, shown=shown)
    return shown


async def _one(
    conn: psycopg.AsyncConnection, notification_id: UUID, caller: Principal, *, lock: bool = False
) -> dict[str, Any]:
    own = None if caller.has("admin") else str(caller.sub)
    cursor = conn.cursor(row_factory=dict_row)
    rows = await _NOTIFICATIONS.fetch(cursor, lock=lock, id=notification_id, recipient_id=own)
    if not rows:
        raise not_found()
    return rows[0]
