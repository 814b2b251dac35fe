"""Webhooks as providers send them: again and again, further and further apart, until a 2xx."""

import asyncio
import contextlib
import heapq
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from booking_standins.serving import json_lines

_LONGEST_PAUSE, _GIVE_UP_AFTER = 10.0, 7 * 24 * 3600.0


class Webhooks:
    """An outbox of its own in one file, so that a notification survives the provider's restart.

    The file is a journal: a line for each letter that was queued and each that is done, written anew at a start.
    """

    def __init__(self, path: Path) -> None:
        self._waiting = _read(path)
        self._next = max(self._waiting, default=0) + 1
        self._queue = [(letter["due"], number) for number, letter in self._waiting.items()]
        heapq.heapify(self._queue)
        path.write_text("".join(_line(number, letter) for number, letter in self._waiting.items()), "utf-8")
        self._journal = path.open("a", encoding="utf-8")
        self._news = asyncio.Event()
        self._http = httpx2.AsyncClient(timeout=30.0, trust_env=False)

    def send(self, url: str, body: bytes, headers: dict[str, str], *, after: float = 0.0) -> None:
        """Queues one delivery; its order to others of the same `after` is kept while all goes well."""
        now, number = time.time(), self._next
        self._next += 1
        letter = {"url": url, "body": body.decode(), "headers": headers, "due": now + after, "since": now, "tries": 0}
        self._waiting[number] = letter
        heapq.heappush(self._queue, (now + after, number))
        self._write(_line(number, letter))
        self._news.set()

    async def try_now(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        """Delivers at once and answers the status; what isn't a 2xx is queued and tried again. None: no connection."""
        status = await self._post(url, body, headers)
        if status is None or status >= 300:
            self.send(url, body, headers, after=1.0)
        return status

    @contextlib.asynccontextmanager
    async def delivering(self, before: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[None]:
        """Delivers in the background, once `before` has come to its end."""
        task = asyncio.create_task(self._run(before))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _run(self, before: Callable[[], Awaitable[None]] | None) -> None:
        if before is not None:
            await before()
        while True:
            self._news.clear()
            while self._queue and self._queue[0][0] <= time.time():
                _, number = heapq.heappop(self._queue)
                await self._deliver(number)
            next_due = self._queue[0][0] if self._queue else time.time() + 60
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.01, next_due - time.time()))

    async def _deliver(self, number: int) -> None:
        letter = self._waiting[number]
        status = await self._post(letter["url"], letter["body"].encode(), letter["headers"])
        letter["tries"] += 1
        if (status is not None and status < 300) or time.time() - letter["since"] > _GIVE_UP_AFTER:
            del self._waiting[number]
            self._write(_line(number, None))
        else:
            letter["due"] = time.time() + min(_LONGEST_PAUSE, 0.5 * 2 ** letter["tries"])
            heapq.heappush(self._queue, (letter["due"], number))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        try:
            answer = await self._http.post(url, content=body, headers={"Content-Type": "application/json", **headers})
        except httpx2.HTTPError:
            return None
        return answer.status_code

    def _write(self, line: str) -> None:
        self._journal.write(line)
        self._journal.flush()


def _line(number: int, letter: dict[str, Any] | None) -> str:
    return json.dumps([number, letter]) + "\n"


def _read(path: Path) -> dict[int, dict[str, Any]]:
    """What still waits."""
    waiting: dict[int, dict[str, Any]] = {}
    for number, letter in json_lines(path):
        waiting[number] = letter
        if letter is None:
            del waiting[number]
    return waiting
