"""Webhooks over HTTP, for admins: endpoints with their secrets, deliveries with their tries, tests and redelivery."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Response
from psycopg.rows import dict_row

from booking_process.database import Database, Filtered
from booking_web.auth import AdminCaller
from booking_web.consistency import stamp
from booking_web.idempotency import Idempotency, Replay, Written
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import USUAL, Members, Problem, conflict, not_found, problem_responses, unprocessable
from booking_web.writes import WriteCall
from notifier.tables import webhook_attempt, webhook_delivery, webhook_endpoint, webhook_event
from notifier.webhooks import endpoints
from notifier.webhooks.addresses import UnusableAddressError, check
from notifier.webhooks.endpoints import MOST_ENDPOINTS, TooManyEndpointsError
from notifier.webhooks.ledger import deliver_again, plan_test
from notifier.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    NewWebhookEndpoint,
    NewWebhookSecret,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryWithAttempts,
    WebhookEndpoint,
    WebhookEndpointChange,
    WebhookEndpointWithSecret,
)

_DELETED = sa.literal_column("'deleted'")
_ENDPOINTS = Filtered(
    sa.select(*(webhook_endpoint.c[name] for name in WebhookEndpoint.model_fields))
    .where(webhook_endpoint.c.status != _DELETED)
    .order_by(webhook_endpoint.c.id.desc()),
    id=webhook_endpoint.c.id,
    before=webhook_endpoint.c.id < sa.bindparam("before"),
)
_DELIVERY = webhook_delivery.c
_SHOWN: list[sa.ColumnElement[Any]] = [
    _DELIVERY.id,
    _DELIVERY.event_id.label("webhook_id"),
    _DELIVERY.endpoint_id,
    webhook_event.c.type,
    _DELIVERY.status,
    _DELIVERY.attempts,
    _DELIVERY.reason,
    _DELIVERY.status_code,
    sa.case((_DELIVERY.status == sa.literal_column("'pending'"), _DELIVERY.not_before)).label("next_attempt_at"),
    _DELIVERY.delivered_at,
    _DELIVERY.created_at,
    _DELIVERY.version,
]
_DELIVERIES = Filtered(
    sa.select(*_SHOWN)
    .join_from(webhook_delivery, webhook_event, webhook_event.c.id == _DELIVERY.event_id)
    .join(webhook_endpoint, webhook_endpoint.c.id == _DELIVERY.endpoint_id)
    .where(webhook_endpoint.c.status != _DELETED)
    .order_by(_DELIVERY.id.desc()),
    id=_DELIVERY.id,
    endpoint_id=_DELIVERY.endpoint_id,
    webhook_id=_DELIVERY.event_id,
    status=_DELIVERY.status,
    before=_DELIVERY.id < sa.bindparam("before"),
)
_ATTEMPTS = Filtered(
    sa.select(*(webhook_attempt.c[name] for name in WebhookAttempt.model_fields)).order_by(
        webhook_attempt.c.number.desc()
    ),
    delivery_id=webhook_attempt.c.delivery_id,
)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What of the deliveries the caller wants to see."""

    endpoint_id: Annotated[UUID | None, Query(description="Only to this endpoint.")] = None
    webhook_id: Annotated[UUID | None, Query(description="Only of this event.")] = None
    status: Annotated[DeliveryStatus | None, Query(description="Only these.")] = None


Chosen = Annotated[_Choice, Depends()]


class DeliveryWrongStatus(Members, title="WebhookDeliveryWrongStatusProblem"):
    """How far the delivery is."""

    current_status: DeliveryStatus


class EndpointWrongStatus(Members, title="WebhookEndpointWrongStatusProblem"):
    """What the endpoint is."""

    current_status: EndpointStatus


SENDING = conflict("wrong_status", "The delivery is on its way already.", DeliveryWrongStatus(current_status="sending"))
DISABLED = conflict("wrong_status", "The endpoint is disabled.", EndpointWrongStatus(current_status="disabled"))


def too_many() -> Problem:
    """409: there are as many endpoints as there may be."""
    return conflict("too_many_endpoints", f"At most {MOST_ENDPOINTS} endpoints: delete one first.")


def routers(database: Database, committed: Callable[[], None], *, private: bool) -> list[APIRouter]:
    """Everything of webhooks. `private`: http and private targets are allowed."""
    return [
        _endpoints(database, private=private),
        _changes(database, committed, private=private),
        _deliveries(database, committed),
    ]


def _usable(wanted: NewWebhookEndpoint, *, private: bool) -> dict[str, Any]:
    try:
        check(wanted.url, private=private)
    except UnusableAddressError as refused:
        error = {"pointer": "/url", "code": "invalid", "detail": str(refused)}
        raise unprocessable("invalid_request", USUAL[422], errors=[error]) from None
    return wanted.model_dump(mode="json")


def _routes(prefix: str) -> APIRouter:
    return APIRouter(prefix=prefix, tags=["webhooks"], responses=problem_responses(401, 403, 422, 429, 503))


def _endpoints(database: Database, *, private: bool) -> APIRouter:
    """`/v1/webhook-endpoints`: registered, listed, read."""
    routes = _routes("/v1/webhook-endpoints")

    @routes.post("", status_code=201, response_model=WebhookEndpointWithSecret, responses=problem_responses(too_many()))
    async def create_webhook_endpoint(
        wanted: NewWebhookEndpoint, caller: AdminCaller, idempotency: Idempotency, response: Response
    ) -> Any:
        """Register an address. The secret in the answer is shown here alone; each delivery is signed by it."""
        del caller
        row = _usable(wanted, private=private)

        async def change(conn: psycopg.AsyncConnection) -> Written:
            try:
                endpoint_id, secret = await endpoints.register(conn, row)
            except TooManyEndpointsError:
                raise too_many() from None
            answer = WebhookEndpointWithSecret(**await _endpoint(conn, endpoint_id), secret=secret)
            return Written(201, endpoint_id, answer.version, answer)

        written, _ = await idempotency.once(database, change)
        response.headers["Location"] = f"/v1/webhook-endpoints/{written.object_id}"
        return _stamped_endpoint(response, _first(written, WebhookEndpointWithSecret))

    @routes.get("", response_model=PageOf[WebhookEndpoint])
    async def list_webhook_endpoints(caller: AdminCaller, page: Page) -> Any:
        """All endpoints, newest first."""
        del caller
        before = decode_cursor(page.cursor, UUID, of="webhook-endpoints")[0] if page.cursor else None
        async with database.autocommit() as conn:
            rows = await _ENDPOINTS.fetch(conn.cursor(row_factory=dict_row), limit=page.limit + 1, before=before)
        return _page(rows, page.limit, "webhook-endpoints")

    @routes.get("/{endpoint_id}", response_model=WebhookEndpoint, responses=problem_responses(404))
    async def get_webhook_endpoint(endpoint_id: UUID, caller: AdminCaller, response: Response) -> Any:
        """One endpoint: whether it is enabled, and since when it fails."""
        del caller
        async with database.autocommit() as conn:
            row = await _endpoint(conn, endpoint_id)
        return _stamped_endpoint(response, WebhookEndpoint(**row))

    return routes


def _changes(database: Database, committed: Callable[[], None], *, private: bool) -> APIRouter:
    """`/v1/webhook-endpoints/{endpoint_id}`: changed, deleted, given a new secret, tested."""
    routes = _routes("/v1/webhook-endpoints")

    @routes.put("/{endpoint_id}", response_model=WebhookEndpoint, responses=problem_responses(404, 412))
    async def put_webhook_endpoint(
        endpoint_id: UUID, wanted: WebhookEndpointChange, caller: AdminCaller, call: WriteCall
    ) -> Any:
        """Change address and event types, disable or enable it. Once enabled again it gets what has waited for it."""
        del caller
        row = _usable(wanted, private=private)

        async def change(conn: psycopg.AsyncConnection) -> Written:
            found = await _endpoint(conn, endpoint_id, lock=True)
            call.conditions.check(found["version"])
            await endpoints.change(conn, endpoint_id, row, was=found["status"])
            answer = WebhookEndpoint(**await _endpoint(conn, endpoint_id))
            return Written(200, endpoint_id, answer.version, answer)

        written, _ = await call.idempotency.once(database, change)
        committed()
        return _stamped_endpoint(call.response, _first(written, WebhookEndpoint))

    @routes.delete("/{endpoint_id}", status_code=204, responses=problem_responses(404, 412))
    async def delete_webhook_endpoint(endpoint_id: UUID, caller: AdminCaller, call: WriteCall) -> None:
        """Delete an endpoint with its secrets and its deliveries; what waits for it is never sent."""
        del caller

        async def change(conn: psycopg.AsyncConnection) -> Written:
            call.conditions.check((await _endpoint(conn, endpoint_id, lock=True))["version"])
            await endpoints.delete(conn, endpoint_id)
            return Written(204, endpoint_id, None)

        await call.idempotency.once(database, change)

    @routes.post(
        "/{endpoint_id}/rotate-secret",
        response_model=WebhookEndpointWithSecret,
        responses=problem_responses(404, 412),
    )
    async def rotate_webhook_secret(
        endpoint_id: UUID, wanted: NewWebhookSecret, caller: AdminCaller, call: WriteCall
    ) -> Any:
        """A new secret, shown here alone. For a while each delivery has two signatures, the old secret's too."""
        del caller

        async def change(conn: psycopg.AsyncConnection) -> Written:
            call.conditions.check((await _endpoint(conn, endpoint_id, lock=True))["version"])
            secret = await endpoints.rotate(conn, endpoint_id, wanted.overlap_seconds)
            answer = WebhookEndpointWithSecret(**await _endpoint(conn, endpoint_id), secret=secret)
            return Written(200, endpoint_id, answer.version, answer)

        written, _ = await call.idempotency.once(database, change)
        return _stamped_endpoint(call.response, _first(written, WebhookEndpointWithSecret))

    @routes.post(
        "/{endpoint_id}/test",
        status_code=201,
        response_model=WebhookDelivery,
        responses=problem_responses(404, DISABLED, 412),
    )
    async def test_webhook_endpoint(endpoint_id: UUID, caller: AdminCaller, call: WriteCall) -> Any:
        """Send a test, signed as every delivery is; its type is `com.booking.notifier.WebhookTest.v1`."""
        del caller

        async def change(conn: psycopg.AsyncConnection) -> Written:
            found = await _endpoint(conn, endpoint_id, lock=True)
            call.conditions.check(found["version"])
            if found["status"] != "enabled":
                raise DISABLED
            answer = WebhookDelivery(**await _delivery(conn, await plan_test(conn, endpoint_id)))
            return Written(201, answer.id, answer.version, answer)

        written, _ = await call.idempotency.once(database, change)
        call.response.headers["Location"] = f"/v1/webhook-deliveries/{written.object_id}"
        committed()
        return _stamped_delivery(call.response, _first(written, WebhookDelivery))

    return routes


def _deliveries(database: Database, committed: Callable[[], None]) -> APIRouter:
    """`/v1/webhook-deliveries`: listed, read with their tries, sent again."""
    routes = _routes("/v1/webhook-deliveries")

    @routes.get("", response_model=PageOf[WebhookDelivery])
    async def list_webhook_deliveries(caller: AdminCaller, page: Page, chosen: Chosen) -> Any:
        """What was delivered, waits or failed in the last 31 days, newest first."""
        del caller
        before = decode_cursor(page.cursor, UUID, of="webhook-deliveries")[0] if page.cursor else None
        async with database.autocommit() as conn:
            cursor = conn.cursor(row_factory=dict_row)
            rows = await _DELIVERIES.fetch(cursor, limit=page.limit + 1, before=before, **asdict(chosen))
        return _page(rows, page.limit, "webhook-deliveries")

    @routes.get("/{delivery_id}", response_model=WebhookDeliveryWithAttempts, responses=problem_responses(404))
    async def get_webhook_delivery(delivery_id: UUID, caller: AdminCaller, response: Response) -> Any:
        """One delivery with its tries."""
        del caller
        async with database.autocommit() as conn:
            row = await _delivery(conn, delivery_id)
            log = await _ATTEMPTS.fetch(conn.cursor(row_factory=dict_row), limit=100, delivery_id=delivery_id)
        return _stamped_delivery(
            response, WebhookDeliveryWithAttempts(**row, log=[WebhookAttempt(**one) for one in log])
        )

    @routes.post(
        "/{delivery_id}/resend", response_model=WebhookDelivery, responses=problem_responses(404, SENDING, 412)
    )
    async def resend_webhook_delivery(delivery_id: UUID, caller: AdminCaller, call: WriteCall) -> Any:
        """Send it now, whatever became of it before, with the same `webhook-id` and all its tries anew."""
        del caller

        async def change(conn: psycopg.AsyncConnection) -> Written:
            found = await _delivery(conn, delivery_id, lock=True)
            call.conditions.check(found["version"])
            if found["status"] == "sending":
                raise SENDING
            await deliver_again(conn, delivery_id)
            answer = WebhookDelivery(**await _delivery(conn, delivery_id))
            return Written(200, delivery_id, answer.version, answer)

        written, _ = await call.idempotency.once(database, change)
        committed()
        return _stamped_delivery(call.response, _first(written, WebhookDelivery))

    return routes


def _first(written: Written | Replay, kind: type[Any]) -> Any:
    answer = written.body(kind)
    if answer is None:  # kept with the key; an erasure of the admin who asked deletes it
        raise not_found()
    return answer


def _page(rows: list[dict[str, Any]], limit: int, of: str) -> dict[str, Any]:
    items = rows[:limit]
    return page_of(items, encode_cursor(items[-1]["id"], of=of) if len(rows) > limit else None)


def _stamped_endpoint(response: Response, shown: Any) -> Any:
    # That it fails, and since when, is noted without a version.
    stamp(response, "notifier", "webhook_endpoint", shown.id, shown.version, shown=shown)
    return shown


def _stamped_delivery(response: Response, shown: Any) -> Any:
    stamp(response, "notifier", "webhook_delivery", shown.id, shown.version, shown=shown)
    return shown


async def _endpoint(conn: psycopg.AsyncConnection, endpoint_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    rows = await _ENDPOINTS.fetch(conn.cursor(row_factory=dict_row), lock=lock, id=endpoint_id)
    if not rows:
        raise not_found()
    return rows[0]


async def _delivery(conn: psycopg.AsyncConnection, delivery_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    if lock:  # of the delivery alone: what it is read with must stay free
        await conn.execute("SELECT FROM webhook_delivery WHERE id = %s FOR NO KEY UPDATE", [delivery_id])
    rows = await _DELIVERIES.fetch(conn.cursor(row_factory=dict_row), id=delivery_id)
    if not rows:
        raise not_found()
    return rows[0]
