"""A deadlock's victim wrote nothing: it runs again, and is told to try again, never that something is broken."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from booking_web import problem_handlers
from booking_web.idempotency import IdempotencyScope, Written


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
async def test_victim_of_others__is_503_and_may_try_again(error: type[Exception]) -> None:
    app = FastAPI()
    problem_handlers.install(app, {})

    @app.put("/one")
    async def put() -> None:  # pyright: ignore[reportUnusedFunction]
        raise error("deadlock detected")

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.put("/one")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert "deadlock" not in answer.text


async def test_write_that_lost_a_deadlock__runs_again() -> None:
    tries: list[int] = []

    class Connections:
        """Stands where the database would: without a key nothing is asked of it."""

        @asynccontextmanager
        async def transaction(self) -> AsyncGenerator[None]:
            yield None

    async def change(_: Any) -> Written:
        tries.append(1)
        if len(tries) < 3:
            raise psycopg.errors.DeadlockDetected
        return Written(200, None, 1)

    written, again = await IdempotencyScope(None).once(Connections(), change)  # pyright: ignore[reportArgumentType]
    assert (written.status, again, len(tries)) == (200, False, 3)
