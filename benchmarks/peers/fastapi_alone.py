"""FastAPI with psycopg: a body validated, the floor's two statements on a connection of its own, and nothing else.

It runs on the versions and the interpreter of the services. No token, no idempotency key, no telemetry, no rules.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

NAME = "FastAPI and psycopg, two statements, nothing else"
LOAD = "SELECT version, type, data::text FROM events WHERE stream_id = %s ORDER BY version"
STORE = """
WITH ev AS (
    INSERT INTO events (stream_id, version, type, data) VALUES (%s, %s, 'SessionRescheduled', %s) RETURNING version
)
UPDATE session SET status = 'scheduled', starts_at = now(), version = ev.version FROM ev
WHERE id = %s AND session.version = %s
"""


class Times(BaseModel):
    """The same fields as of consultation's route."""

    scheduled_date: str
    time_start: str
    time_end: str
    timezone: str
    meeting_link: str


def app(url: str, connections: int) -> FastAPI:
    """One route."""
    free: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()

    @asynccontextmanager
    async def connected(_app: FastAPI) -> AsyncIterator[None]:
        for _ in range(connections):
            free.put_nowait(await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=0))
        yield
        while not free.empty():
            await free.get_nowait().close()

    made = FastAPI(lifespan=connected)

    @made.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @made.put("/v1/sessions/{session_id}/schedule")
    async def schedule(session_id: str, times: Times) -> dict[str, int]:
        conn = await free.get()
        try:
            rows = await (await conn.execute(LOAD, [session_id])).fetchall()
            version, data = rows[-1][0], times.model_dump_json()
            await conn.execute(STORE, [session_id, version + 1, data, session_id, version])
        finally:
            free.put_nowait(conn)
        return {"version": version + 1}

    return made


def main() -> None:
    """`python -m benchmarks.peers.fastapi_alone PORT`, with the database's address in DATABASE_URL."""
    made = app(os.environ["DATABASE_URL"], connections=8)
    uvicorn.run(made, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
