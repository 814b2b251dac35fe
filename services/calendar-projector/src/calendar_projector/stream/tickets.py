"""Tickets for the stream (T35): what a page puts into the address, since its EventSource sends no header.

A ticket is an id and its HMAC, good once, within a minute, for the stream and nothing else. Its row says whose it is
and what their token allows, for as long as the token does; nothing secret is stored.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.ids import uuid7
from booking_web.auth import Principal
from booking_web.problems import Problem

LIFETIME = timedelta(seconds=60)
_PREFIX = "st_"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
INVALID = Problem(401, "invalid_ticket", "That is no ticket of ours.", headers=_CHALLENGE)
EXPIRED = Problem(401, "ticket_expired", "The ticket has expired: make a new one.", headers=_CHALLENGE)
USED = Problem(401, "ticket_used", "The ticket was used before: make a new one.", headers=_CHALLENGE)

_USE = """
UPDATE stream_ticket SET used_at = now() WHERE id = %s AND used_at IS NULL AND expires_at > now()
RETURNING person_id, roles, extract(epoch FROM rights_end_at)::double precision
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket."""

    id: UUID

    @property
    def expires_at(self) -> datetime:
        """A minute after the time within its UUIDv7: a repeated request gets the same answer."""
        return datetime.fromtimestamp((self.id.int >> 80) / 1000, UTC) + LIFETIME


class Tickets:
    """Makes tickets and takes them; every process with the same secret, or with it among its `previous`, takes every
    other's."""

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        self._secrets = [one.encode() for one in (secret, *previous)]

    def text(self, ticket: Ticket) -> str:
        """What opens the stream. Show it to its owner alone, never log it."""
        return _PREFIX + base64.urlsafe_b64encode(ticket.id.bytes + _mac(self._secrets[0], ticket.id)).decode()

    async def make(self, conn: psycopg.AsyncConnection[Any], caller: Principal) -> Ticket:
        """A new ticket with the caller's rights. Within a transaction."""
        ticket = Ticket(uuid7())
        await conn.execute(
            "INSERT INTO stream_ticket (id, person_id, roles, rights_end_at, expires_at)"
            " VALUES (%s, %s, %s, to_timestamp(%s), now() + %s)",
            (ticket.id, caller.sub, sorted(caller.roles), caller.expires_at, LIFETIME),
        )
        return ticket

    async def use(self, conn: psycopg.AsyncConnection[Any], text: str) -> Principal:
        """Whose it is, once; INVALID, EXPIRED or USED. A forged one never reaches the database."""
        ticket = self._id(text)
        row = await (await conn.execute(_USE, (ticket,))).fetchone()
        if row is not None:
            person, roles, rights_end_at = row
            return Principal(sub=person, roles=frozenset(roles), expires_at=rights_end_at)
        query = "SELECT used_at FROM stream_ticket WHERE id = %s AND expires_at > now()"
        raise USED if await (await conn.execute(query, (ticket,))).fetchone() else EXPIRED

    def _id(self, text: str) -> UUID:
        try:
            raw = base64.b64decode(text.removeprefix(_PREFIX), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise INVALID from None
        if len(raw) != 16 + hashlib.sha256().digest_size:
            raise INVALID
        ticket = UUID(bytes=raw[:16])
        good = [hmac.compare_digest(raw[16:], _mac(secret, ticket)) for secret in self._secrets]
        if not any(good):
            raise INVALID
        return ticket


def _mac(secret: bytes, ticket: UUID) -> bytes:
    return hmac.digest(secret, b"booking stream ticket " + ticket.bytes, "sha256")
