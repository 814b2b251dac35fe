"""Reading one's own writes across services (api.md): a token names a version, and a reader waits until it has it."""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel

from booking_process.database import Database
from booking_web import context
from booking_web.conditions import etag
from booking_web.problems import Problem, unavailable

_MOST_TOKENS = 8
_FIRST_POLL = 0.004
_SLOWEST_POLL = 0.05


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """``checkout:transaction:<id>:<version>``."""

    service: str
    kind: str
    id: str
    version: int

    def encode(self) -> str:
        """As it stands in the Consistency-Token header."""
        text = f"{self.service}:{self.kind}:{self.id}:{self.version}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "ConsistencyToken":
        """Problem 422 for what is no token."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
            service, kind, key, version = raw.split(":")
        except (ValueError, binascii.Error):
            raise _bad_token() from None
        if not (service and kind and key) or not version.isdecimal() or len(version) > 9 or "\x00" in raw:
            raise _bad_token()
        return cls(service, kind, key, int(version))


def _bad_token() -> Problem:
    return Problem(422, "invalid_consistency_token", "The Consistency-Token is none of ours.")


def stamp(
    response: Response, service: str, kind: str, key: UUID | str, version: int, *, shown: BaseModel | None = None
) -> None:
    """Puts the ETag and the Consistency-Token of an object on its answer.

    Give the body as `shown` where it shows anything beside the versioned row, so that the ETag changes with it.
    """
    response.headers["ETag"] = etag(version, shown)
    response.headers["Consistency-Token"] = ConsistencyToken(service, kind, str(key), version).encode()


async def _arrival(database: Database, consumer: str, topic: str, token: ConsistencyToken, until: float) -> None:
    """Returns once `consumer` has applied the token's version; Problem 503 `not_yet_visible` at `until` (loop time).

    Never silently stale: a caller who named a version gets that version or a refusal.
    """
    loop, pause = asyncio.get_running_loop(), _FIRST_POLL
    while True:
        async with database.autocommit() as connection:
            if await _has(connection, consumer, topic, token):
                return
        if (left := until - loop.time()) <= 0:
            raise unavailable("not_yet_visible", "That version has not arrived here yet. Try again.", retry_after=1)
        await context.pause(min(pause, left))
        pause = min(pause * 2, _SLOWEST_POLL)


async def _has(connection: psycopg.AsyncConnection, consumer: str, topic: str, token: ConsistencyToken) -> bool:
    found = await connection.execute(
        "SELECT version >= %s FROM inbox WHERE consumer = %s AND topic = %s AND key = %s",
        [token.version, consumer, topic, token.id],
    )
    row = await found.fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class ConsistencyWish:
    """The tokens that the caller sent and how long they would wait, in seconds."""

    tokens: tuple[ConsistencyToken, ...]
    wait: float

    async def visible(self, database: Database, consumer: str, topics: dict[str, str]) -> None:
        """Waits for each token whose `service:kind` is in `topics` (kind to logical topic name); ignores the others."""
        until = asyncio.get_running_loop().time() + self.wait
        for token in self.tokens:
            if topic := topics.get(f"{token.service}:{token.kind}"):
                await _arrival(database, consumer, topic, token, until)


TokensHeader = Annotated[
    str | None,
    Header(alias="Consistency-Token", max_length=2048, description="Tokens of earlier answers, by commas."),
]
WaitQuery = Annotated[float, Query(ge=0, le=10, allow_inf_nan=False, description="Seconds to wait for them.")]


async def wish_of(tokens: TokensHeader = None, wait: WaitQuery = 2.0) -> ConsistencyWish:
    """What the caller must see. A dependency, or called by one that takes more headers."""
    texts: list[Any] = [text.strip() for text in (tokens or "").split(",") if text.strip()]
    return ConsistencyWish(tuple(ConsistencyToken.decode(text) for text in texts[:_MOST_TOKENS]), wait)


Consistency = Annotated[ConsistencyWish, Depends(wish_of)]
"""What the caller must see, as a parameter of a route."""
