"""Endpoints as rows: registered, changed, disabled, deleted; their secrets, two of which sign while one is replaced."""

from typing import Any, LiteralString
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from notifier.webhooks.ledger import release
from notifier.webhooks.signing import new_secret

MOST_ENDPOINTS = 20

_COUNT: LiteralString = "SELECT count(*) FROM webhook_endpoint WHERE status <> 'deleted'"
_REGISTER: LiteralString = """
INSERT INTO webhook_endpoint (id, url, event_types, description, status, secret, not_before, created_at)
VALUES (%(id)s, %(url)s, %(event_types)s, %(description)s, 'enabled', %(secret)s, clock_timestamp(),
    clock_timestamp())"""
_CHANGE: LiteralString = """
UPDATE webhook_endpoint SET url = %(url)s, event_types = %(event_types)s, description = %(description)s,
    status = %(status)s,
    disabled_reason = CASE WHEN %(status)s = 'disabled' THEN coalesce(disabled_reason, 'by_admin') END,
    disabled_at = CASE WHEN %(status)s = 'disabled' THEN coalesce(disabled_at, clock_timestamp()) END,
    version = version + 1
WHERE id = %(id)s"""
_ENABLED: LiteralString = """
UPDATE webhook_endpoint SET failing_since = NULL, failures = 0, not_before = clock_timestamp() WHERE id = %s"""
_ROTATE: LiteralString = """
UPDATE webhook_endpoint SET version = version + 1, secret = %(secret)s,
    previous_secret = CASE WHEN %(overlap)s > 0 THEN secret END,
    previous_secret_until = CASE WHEN %(overlap)s > 0
        THEN clock_timestamp() + make_interval(secs => %(overlap)s::float8) END
WHERE id = %(id)s"""
_DELETE: LiteralString = """
UPDATE webhook_endpoint SET status = 'deleted', disabled_reason = NULL, disabled_at = NULL, secret = NULL,
    previous_secret = NULL, previous_secret_until = NULL, version = version + 1,
    not_before = clock_timestamp() + interval '1 minute'
WHERE id = %s"""


class TooManyEndpointsError(Exception):
    """There are as many as there may be."""


async def register(conn: psycopg.AsyncConnection[Any], wanted: dict[str, Any]) -> tuple[UUID, str]:
    """A new endpoint's id and secret. TooManyEndpointsError, under concurrency too."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('webhook endpoints', 0))")
    row = await (await conn.execute(_COUNT)).fetchone()
    if row is not None and row[0] >= MOST_ENDPOINTS:
        raise TooManyEndpointsError
    endpoint_id, secret = uuid7(), new_secret()
    await conn.execute(_REGISTER, {**wanted, "id": endpoint_id, "secret": secret})
    return endpoint_id, secret


async def change(conn: psycopg.AsyncConnection[Any], endpoint_id: UUID, wanted: dict[str, Any], *, was: str) -> None:
    """What it is from now on. One that was disabled and is enabled gets what waited for it at once."""
    await conn.execute(_CHANGE, {**wanted, "id": endpoint_id})
    if (was, wanted["status"]) == ("disabled", "enabled"):
        await conn.execute(_ENABLED, [endpoint_id])
        await release(conn, endpoint_id)


async def rotate(conn: psycopg.AsyncConnection[Any], endpoint_id: UUID, overlap: int) -> str:
    """The new secret; the one before it signs beside it for `overlap` more seconds, any older one no more."""
    secret = new_secret()
    await conn.execute(_ROTATE, {"id": endpoint_id, "secret": secret, "overlap": overlap})
    return secret


async def delete(conn: psycopg.AsyncConnection[Any], endpoint_id: UUID) -> None:
    """Gone for callers and for events; its secrets at once, its deliveries by and by."""
    await conn.execute(_DELETE, [endpoint_id])
