"""Delivers signed notifications over HTTP as providers do: again and again, further and further apart, until a 2xx."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import httpx2

from booking_local.standins.ledger import write_whole

_LONGEST_PAUSE, _GIVE_UP_AFTER = 10.0, 7 * 24 * 3600.0


class Courier:
    """An outbox of its own in one file, so that a notification survives the provider's restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
        self._news = asyncio.Event()
        self._http = httpx2.AsyncClient(timeout=30.0, trust_env=False)

    def send(self, url: str, body: bytes, headers: dict[str, str], *, after: float = 0.0) -> None:
        """Queues one delivery; its order to others of the same `after` is kept while all goes well."""
        now = time.time()
        self._waiting.append(
            {"url": url, "body": body.decode(), "headers": headers, "due": now + after, "since": now, "tries": 0}
        )
        self._save()
        self._news.set()

    async def try_now(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        """Delivers at once and answers the status; what isn't a 2xx is queued and tried again. None: no connection."""
        status = await self._post(url, body, headers)
        if status is None or status >= 300:
            self.send(url, body, headers, after=1.0)
        return status

    async def run(self) -> None:
        """Delivers what is due, for ever."""
        while True:
            self._news.clear()
            for letter in [one for one in self._waiting if one["due"] <= time.time()]:
                await self._deliver(letter)
            next_due = min((one["due"] for one in self._waiting), default=time.time() + 60)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.01, next_due - time.time()))

    async def _deliver(self, letter: dict[str, Any]) -> None:
        status = await self._post(letter["url"], letter["body"].encode(), letter["headers"])
        letter["tries"] += 1
        if (status is not None and status < 300) or time.time() - letter["since"] > _GIVE_UP_AFTER:
            self._waiting.remove(letter)
        else:
            letter["due"] = time.time() + min(_LONGEST_PAUSE, 0.5 * 2 ** letter["tries"])
        self._save()

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        try:
            answer = await self._http.post(url, content=body, headers={"Content-Type": "application/json", **headers})
        except httpx2.HTTPError:
            return None
        return answer.status_code

    def _save(self) -> None:
        write_whole(self._path, self._waiting)
