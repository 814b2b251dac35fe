"""Asks the platform's processes how they do, every few seconds, and keeps the last hour in memory."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2

from booking_gateway.state.figures import FIGURES, Figure, Told, figures, told

HOUR = 3600.0
_PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What was known then: each figure, None where nobody knew; `away` are the addresses that did not answer."""

    at: datetime
    figures: Mapping[Figure, float | None]
    away: tuple[str, ...]


class Watch:
    """One for each copy of the gateway. `addresses` are those of the processes, `seconds` lie between two rounds."""

    def __init__(self, addresses: Sequence[str], seconds: float) -> None:
        self.addresses = tuple(addresses)
        self.seconds = seconds
        self._kept: deque[Moment] = deque(maxlen=int(HOUR / seconds))
        self._before: list[Told | None] = []
        self._parts = [frozenset(FIGURES) for _ in self.addresses]

    @property
    def moments(self) -> list[Moment]:
        """Those of the last hour, the oldest first."""
        return list(self._kept)

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """For the length of a block, in the background."""
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        async with httpx2.AsyncClient(timeout=_PATIENCE, trust_env=False) as client:
            while True:
                await self.round(client)
                await asyncio.sleep(self.seconds)

    async def round(self, client: httpx2.AsyncClient) -> None:
        """Ask each of them once, all at once, and keep what they tell."""
        now = list(await asyncio.gather(*(_asked(client, address) for address in self.addresses)))
        away = tuple(address for address, one in zip(self.addresses, now, strict=True) if one is None)
        self._parts = [one.parts if one else before for one, before in zip(now, self._parts, strict=True)]
        self._kept.append(Moment(datetime.now(UTC), figures(self._before, now, self._parts), away))
        self._before = now


async def _asked(client: httpx2.AsyncClient, address: str) -> Told | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await client.get(f"{address}/metrics")
        return told(answer.text, time.monotonic()) if answer.is_success else None
    except (httpx2.HTTPError, TimeoutError, ValueError):
        return None
