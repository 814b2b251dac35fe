"""Reading one's own writes: waiting until a version has arrived in the rows that are shown."""

import asyncio
from uuid import UUID

from booking_contracts.topics import PRACTITIONERS
from booking_process.database import Database
from booking_web import context
from booking_web.consistency import ConsistencyToken, ConsistencyWish
from booking_web.problems import unavailable
from calendar_projector.kafka import CONSUMER

_FIRST_POLL, _SLOWEST_POLL = 0.004, 0.05


async def visible(database: Database, wish: ConsistencyWish) -> None:
    """Wait for each session and practitioner that the caller's tokens name; 503 `not_yet_visible` after the wish's
    seconds, never stale."""
    until = asyncio.get_running_loop().time() + wish.wait
    await wish.visible(database, CONSUMER, {"checkout:practitioner": PRACTITIONERS.name})
    for token in wish.tokens:
        if (token.service, token.kind) == ("consultation", "session"):
            await _visible(database, token, until)


async def _visible(database: Database, token: ConsistencyToken, until: float) -> None:
    pause = _FIRST_POLL
    while not await _has(database, token):
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            raise unavailable("not_yet_visible", "That version has not arrived here yet. Try again.", retry_after=1)
        await context.pause(min(pause, left))
        pause = min(pause * 2, _SLOWEST_POLL)


async def _has(database: Database, token: ConsistencyToken) -> bool:
    try:
        session = UUID(token.id)
    except ValueError:
        return False
    async with database.autocommit() as conn:
        found = await conn.execute(
            "SELECT version >= %s FROM session_calendar WHERE session_id = %s", (token.version, session)
        )
        row = await found.fetchone()
    return bool(row and row[0])
