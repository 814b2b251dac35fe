"""Idempotency-Key: the same key and body get the same answer for 7 days, also when both arrive at once (I14).

The row is written in the command's own statement or transaction, so key and effect commit together or not at all. A
write without a stream keeps its answer too, since its row forgets what it was; an erasure takes that along (E4).
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

import psycopg
from fastapi import Depends, Header, Request, Response
from psycopg.errors import DeadlockDetected
from pydantic import BaseModel

from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError
from booking_web.auth import bearer
from booking_web.context import route_template
from booking_web.problems import Problem, unprocessable

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_RERUNS = 5
_random = random.SystemRandom()
Answer = TypeVar("Answer", bound=BaseModel)


class IdempotencyTwin(Exception):
    """Another request with this key has just committed: leave the transaction and ask `replayed` for its answer."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Whose key, for which operation, and the SHA-256 of what was asked (concrete path and raw body)."""

    sub: str
    operation: str
    key: str
    sha: bytes


@dataclass(frozen=True, slots=True)
class Replay:
    """What was answered the first time; without `answer` the body is rendered anew from `object_id` at `version`."""

    status: int
    object_id: UUID | None
    version: int | None
    answer: str | None = None

    def body(self, kind: type[Answer]) -> Answer | None:
        """The first answer's body; None where none was kept."""
        return None if self.answer is None else kind.model_validate_json(self.answer)


@dataclass(frozen=True, slots=True)
class Written:
    """What a write without a stream has changed and what it answers, to be remembered with its key.

    `object_id`: whose or what it is; where that is a person, or the caller is, an erasure deletes the answer.
    """

    status: int
    object_id: UUID | None
    version: int | None
    answer: BaseModel | None = None

    def body(self, kind: type[Answer]) -> Answer | None:
        """The answer's body."""
        return self.answer if isinstance(self.answer, kind) else None


Change = Callable[[psycopg.AsyncConnection], Awaitable[Written]]


def tell_replayed(response: Response | None) -> None:
    """The answer says that it is the first one again."""
    if response is not None:
        response.headers["Idempotency-Replayed"] = "true"


@dataclass(frozen=True, slots=True)
class IdempotencyScope:
    """A request's key, if it was sent one, and its answer in the making."""

    key: IdempotencyKey | None
    response: Response | None = None

    async def replayed(self, connection: psycopg.AsyncConnection, key: IdempotencyKey | None) -> Replay | None:
        """The first answer to this key, None if there is none; Problem 422 when it was used for something else."""
        if key is None:
            return None
        found = await connection.execute(
            "SELECT sha, status, object_id, version, answer FROM idempotency"
            " WHERE sub = %s AND operation = %s AND key = %s",
            [key.sub, key.operation, key.key],
        )
        row = await found.fetchone()
        if row is None:
            return None
        if bytes(row[0]) != key.sha:
            raise unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")
        return Replay(row[1], row[2], row[3], row[4])

    async def remember(
        self,
        connection: psycopg.AsyncConnection,
        key: IdempotencyKey | None,
        *,
        status: int,
        object_id: UUID | None,
        version: int | None,
        answer: BaseModel | None = None,
    ) -> None:
        """Keeps the answer, within the write's own transaction; IdempotencyTwin when another request was first.

        A twin that is still under way is waited for by the primary key, so the two never both take effect.
        """
        if key is None:
            return
        kept = await connection.execute(
            "INSERT INTO idempotency (sub, operation, key, sha, status, object_id, version, answer)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [key.sub, key.operation, key.key, key.sha, status, object_id, version, _kept(answer)],
        )
        if kept.rowcount == 0:
            raise IdempotencyTwin

    async def once(self, database: Database, change: Change) -> tuple[Written | Replay, bool]:
        """Runs a write without a stream at most once per key: `(what to answer, whether it was a replay)`.

        The key is asked before `change`, so before any condition: a repeated success is answered as the success.
        """
        done, again = await self._rerun(database, change)
        if again:
            tell_replayed(self.response)
        return done, again

    async def _rerun(self, database: Database, change: Change) -> tuple[Written | Replay, bool]:
        for attempt in range(1, _RERUNS + 1):
            try:
                return await self._once(database, change)
            except DeadlockDetected:
                # The victim of a deadlock wrote nothing and may simply run again.
                if attempt == _RERUNS:
                    raise
                await asyncio.sleep(_random.uniform(0.01, 0.05) * 2**attempt)
        raise AssertionError("unreachable")

    async def _once(self, database: Database, change: Change) -> tuple[Written | Replay, bool]:
        try:
            async with database.transaction() as connection:
                if (first := await self.replayed(connection, self.key)) is not None:
                    return first, True
                try:
                    written = await change(connection)
                except Problem:
                    # Its twin may have committed while this one waited for a lock: the refusal is the twin's doing.
                    if (first := await self.replayed(connection, self.key)) is None:
                        raise
                    return first, True
                await self.remember(
                    connection,
                    self.key,
                    status=written.status,
                    object_id=written.object_id,
                    version=written.version,
                    answer=written.answer,
                )
                return written, False
        except IdempotencyTwin:
            async with database.autocommit() as connection:
                first = await self.replayed(connection, self.key)
            if first is None:
                raise
            return first, True


def _kept(answer: BaseModel | None) -> str | None:
    return None if answer is None else answer.model_dump_json(exclude_unset=True)


async def forget_answers(connection: psycopg.AsyncConnection, person_id: UUID) -> None:
    """Deletes the kept answers to a person, and about a person, within an erasure's transaction (E4)."""
    await connection.execute(
        "DELETE FROM idempotency WHERE answer IS NOT NULL AND (sub = %s OR object_id = %s)",
        [str(person_id), person_id],
    )


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters; the same key repeats the same answer.",
        json_schema_extra={"minLength": 1, "maxLength": 255},  # refused with a code of its own
    ),
]
"""The header as a parameter, for `scope_of`."""


async def scope_of(request: Request, response: Response, header: KeyHeader = None) -> IdempotencyScope:
    """The request's key; Problem 422 for one that is none. A dependency, or called by one that takes more headers."""
    if header is None:
        return IdempotencyScope(None)
    if not _KEY.fullmatch(header) or len(request.headers.getlist("idempotency-key")) > 1:
        raise unprocessable(
            "invalid_idempotency_key", "An Idempotency-Key is 1 to 255 visible ASCII characters, sent once."
        )
    caller = await bearer(request)
    operation = f"{request.method} {route_template(request.scope) or request.url.path}"
    sha = hashlib.sha256(request.scope["path"].encode() + b"\n" + await request.body()).digest()
    return IdempotencyScope(IdempotencyKey(str(caller.sub), operation, header, sha), response)


Idempotency = Annotated[IdempotencyScope, Depends(scope_of)]
"""The request's IdempotencyScope, as a parameter of a route."""


async def purge(connection: psycopg.AsyncConnection) -> int:
    """Deletes what is older than 7 days, a thousand rows at a time; returns how many."""
    gone = await connection.execute(
        "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency"
        " WHERE created_at <= now() - interval '7 days' LIMIT 1000))"
    )
    return gone.rowcount


_EVERY_SECONDS, _AGAIN_SECONDS = 3600.0, 30.0


class IdempotencyPurge:
    """A worker that looks at once and then every hour; does nothing in a service without the table."""

    name = "idempotency-purge"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            # First: a process that is started anew within each hour would else never purge.
            pause = _EVERY_SECONDS if await self._all() else _AGAIN_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _all(self) -> bool:
        """Whether all that is old is gone; not while the database is away."""
        with suppress(psycopg.errors.UndefinedTable):
            try:
                async with self._database.autocommit() as connection:
                    while await purge(connection):
                        pass
            except DatabaseDownError:
                return False
        return True

    def progress(self) -> Progress:
        """Never behind: nothing waits for it."""
        return Progress(backlog=0, moved_at=time.monotonic())
