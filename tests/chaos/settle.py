"""Waiting until the system has come to rest by itself: everything ready, outboxes empty, nobody behind, for 5 s.

Messages that are due may take longer, since a provider takes so many a second only: they are waited for apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2
import psycopg
from aiokafka.errors import KafkaError
from tests.chaos.collect import positions
from tests.chaos.stack import SERVICES, Stack
from tests.rigs.databases import opened

Look = Callable[[Stack], Awaitable[str]]
Note = Callable[..., None]

CALM_SECONDS = 5.0
FRESH_SECONDS = 3
_LOOK_SECONDS = 0.5


async def caught_up(stack: Stack, patience: float, note: Note) -> tuple[float | None, str]:
    """Seconds until lag and outboxes came to 0 for good, or None and what was still moving after `patience` seconds."""
    return await _calm(stack, (_not_ready, _overdue, _behind), patience, note)


async def all_told(stack: Stack, patience: float, note: Note, *more: Look) -> tuple[float | None, str]:
    """Likewise until no message is due, nor published what became of it, and nothing of `more` moves."""
    return await _calm(stack, (_unsent, _unpublished, _behind, *more), patience, note)


async def _calm(stack: Stack, looks: Sequence[Look], patience: float, note: Note) -> tuple[float | None, str]:
    began = time.monotonic()
    calm_since: float | None = None
    what = "nothing was looked at"
    while time.monotonic() - began < patience + CALM_SECONDS:
        what = await _moving(stack, looks)
        now = time.monotonic()
        note("moving", still=what, after=round(now - began, 1))
        if what:
            calm_since = None
        elif calm_since is None:
            calm_since = now
        elif now - calm_since >= CALM_SECONDS:
            return calm_since - began, ""
        await asyncio.sleep(_LOOK_SECONDS)
    return None, what


async def _moving(stack: Stack, looks: Sequence[Look]) -> str:
    """What has not come to rest, in words; empty when everything has."""
    try:
        for look in looks:
            if what := await look(stack):
                return what
    except (psycopg.Error, KafkaError, httpx2.HTTPError, OSError, ValueError) as error:
        return f"not reachable: {type(error).__name__}"
    return ""


async def _not_ready(stack: Stack) -> str:
    async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
        for service in SERVICES:
            if (await http.get(f"{stack.endpoints[service]}/readyz")).status_code != 200:
                return f"{service} is not ready"
    return ""


async def _overdue(stack: Stack) -> str:
    """Rows that wait in an outbox. Fresh ones are no lag: paced messages go on leaving, and tell of it, long after."""
    sql = f"SELECT count(*) FROM outbox WHERE created_at < now() - interval '{FRESH_SECONDS} seconds'"
    for service in SERVICES:
        if (waiting := await _count(stack, service, sql)) > 0:
            return f"{waiting} rows overdue in the outbox of {service}"
    return ""


async def _unpublished(stack: Stack) -> str:
    for service in SERVICES:
        if (waiting := await _count(stack, service, "SELECT count(*) FROM outbox")) > 0:
            return f"{waiting} rows in the outbox of {service}"
    return ""


async def _unsent(stack: Stack) -> str:
    due = "SELECT count(*) FROM notification WHERE state IN ('pending', 'sending') AND due_at <= now()"
    waiting = await _count(stack, "notifier", due)
    return f"{waiting} messages are due" if waiting else ""


async def _behind(stack: Stack) -> str:
    for position in await positions(stack):
        if position.next < position.end:
            return f"{position.consumer}: {position.next} of {position.end} in {position.topic}[{position.partition}]"
    return ""


async def _count(stack: Stack, service: str, sql: str) -> int:
    url: Any = stack.endpoints["postgres"][service]
    async with opened(url) as conn:
        row = await (await conn.execute(sql)).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    return int(row[0]) if row else 0
