"""A load balancer, as before the copies of a service: asks each whether it is ready, and sends requests in turn.

Each request gets a connection of its own, to a copy whose last `/readyz` was 200. Only a copy that takes no connection
is passed over for the next one: what a copy was told may have been done, so nothing is told twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from booking_local.stack.programs import ask

ASK_SECONDS = 0.1
"""How often each copy is asked; well below the services' `SHUTDOWN_DRAIN_SECONDS` here."""
SILENT_TIMES = 3
"""How often in a row a ready copy may say nothing in time before it counts as not ready, as Kubernetes' probes have it.
A 503 counts at once: a copy that drains says it."""
_NOBODY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Balancer:
    """Stands at `port`. `answers` counts by the copy's port and status; status 0 is an answer that broke off."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[tuple[int, int]] = Counter()
        self._ready: dict[int, bool] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._turn = 0
        self._serving: set[asyncio.Task[None]] = set()

    def add(self, copy: int) -> None:
        """One more copy, at this port; it gets requests once it says that it is ready."""
        self._ready[copy] = False
        self._asking[copy] = asyncio.create_task(self._ask(copy))

    def remove(self, copy: int) -> None:
        """The copy is gone."""
        self._asking.pop(copy).cancel()
        self._ready.pop(copy)

    def is_ready(self, copy: int) -> bool:
        """Whether this copy gets requests."""
        return self._ready.get(copy, False)

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[Balancer]:
        """Until the block ends."""
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        try:
            async with server:
                yield self
        finally:
            for asking in self._asking.values():
                asking.cancel()

    async def _ask(self, copy: int) -> None:
        silent = 0
        while True:
            status = await ask(copy, "/readyz")
            silent = silent + 1 if status is None else 0
            self._ready[copy] = status == 200 or (self._ready[copy] and 0 < silent < SILENT_TIMES)
            await asyncio.sleep(ASK_SECONDS)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Once a client has gone, asyncio itself keeps no hold of the task that serves it.
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._pass(reader, writer)
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _request(reader)
        if (found := await self._connected()) is None:
            self.answers[0, 502] += 1
            writer.write(_NOBODY)
            return
        copy, back, there = found
        status = 0
        try:
            there.write(request)
            while data := await back.read(65536):
                status = status or int(data.split(b" ", 2)[1])
                writer.write(data)
                await writer.drain()
        finally:
            self.answers[copy, status] += 1
            there.close()

    async def _connected(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        ready = [copy for copy, is_ready in self._ready.items() if is_ready]
        self._turn += 1
        for number in range(len(ready)):
            copy = ready[(self._turn + number) % len(ready)]
            with suppress(OSError):
                return copy, *await asyncio.open_connection("127.0.0.1", copy)
        return None


async def _request(reader: asyncio.StreamReader) -> bytes:
    """A whole request, which asks for its connection to be closed behind the answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]) + await reader.readexactly(length)
