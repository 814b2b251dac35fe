"""A TCP proxy that can refuse, cut and go silent: a database's outages without touching the one that others use."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from booking_local.servers.ports import free_port

# The last message of every answer of PostgreSQL: ready for the next query, outside of a transaction.
_READY = b"Z\x00\x00\x00\x05I"

Loss = Literal["reset", "silence"]


@dataclass
class AnswerLost:
    """One answer that is to be lost (F9): that of the first request with the last of `markers`, on a connection whose
    requests had the others before.

    The request passes, and its answer is taken whole from the server: what it says was done. `happened` is set then.
    """

    markers: tuple[bytes, ...]
    loss: Loss
    happened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Link:
    """One connection through the proxy, and what is to be lost of it."""

    passed: int = 0
    losing: AnswerLost | None = None
    seen: bytes = b""


class Proxy:
    """Forwards to `host:port` in one of the modes ok, silent (nothing passes any more) or down (refuses)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._flow = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._armed: AnswerLost | None = None
        self.port = free_port()  # none of those that outgoing connections get while it is down

    def lose_answer(self, *markers: bytes, loss: Loss) -> AnswerLost:
        """Lose one answer: cut at once by RST, or never heard of again while the connection stays."""
        self._armed = AnswerLost(markers, loss)
        return self._armed

    async def up(self) -> None:
        self._flow.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Refuses new connections and resets the old ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def silent(self) -> None:
        """Connections stay, bytes do not pass."""
        self._flow.clear()

    def cut(self) -> None:
        """Ends every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Nothing of it is left afterwards, nor of a connection that was just being made."""
        await self.down()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.cut()
        await asyncio.sleep(0)  # in which the transports close their sockets

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._tasks.add(serving)
        serving.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            there_reader, there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(there)
        link = _Link()
        for source, sink, answers in ((reader, there, False), (there_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, link, answers=answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link, *, answers: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                await self._flow.wait()
                if not answers and self._armed is not None and self._armed.markers[link.passed] in data:
                    link.passed += 1
                    if link.passed == len(self._armed.markers):
                        link.losing, self._armed = self._armed, None
                if answers and link.losing is not None:
                    _swallow(link, link.losing, data, sink)
                    continue
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
            self._writers.discard(sink)


def _swallow(link: _Link, lost: AnswerLost, data: bytes, sink: asyncio.StreamWriter) -> None:
    link.seen = (link.seen + data)[-len(_READY) :]
    if link.seen != _READY or lost.happened.is_set():
        return
    lost.happened.set()
    if lost.loss == "reset":
        linger = struct.pack("ii", 1, 0)  # closing then sends RST, no FIN
        sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sink.transport.abort()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """`(proxy, url by way of it)`."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    await proxy.up()
    try:
        yield proxy, url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{proxy.port}")
    finally:
        await proxy.close()
