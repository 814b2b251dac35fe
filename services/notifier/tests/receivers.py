"""Receivers of webhooks as tests play them: a raw socket, so that it can do what no server of HTTP would."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from booking_local.servers.ports import free_port

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Misdeed:
    """What is said, and what follows: the end of it, silence (`hangs`), or the same again for ever (`endless`)."""

    raw: bytes = b""
    hangs: bool = False
    endless: bool = False
    drips: bool = False
    """Byte by byte, slowly."""


@dataclass
class Got:
    """One request."""

    headers: dict[str, str]
    body: bytes
    at: float
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, object]:
        """The body, once its signature was verified by the specification's own library."""
        return Webhook(secret).verify(self.body, self.headers)


Says = Callable[[Got], Misdeed | bytes]


@dataclass
class Receiver:
    """What it got, and what it says: the next of the script, else what `says` tells."""

    script: list[Misdeed | bytes] = field(default_factory=list)
    says: Says = lambda _: OK
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    written: int = 0
    port: int = 0
    names: list[str | None] = field(default_factory=list)
    """What TLS clients asked for (SNI)."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def ids(self) -> list[str]:
        """The `webhook-id` of each request, in order."""
        return [one.id for one in self.got]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(await _request(reader), reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, got: Got, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got.append(got)
        said = self.script.pop(0) if self.script else self.says(got)
        misdeed = Misdeed(said) if isinstance(said, bytes) else said
        if misdeed.drips:
            for byte in misdeed.raw:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)
        else:
            await self._say(misdeed.raw, writer)
        while misdeed.endless:
            await self._say(b"x" * 8192, writer)
        if misdeed.hangs:
            await reader.read()  # until the other side hangs up

    async def _say(self, raw: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        self.written += len(raw)


async def _request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers: Mapping[str, str] = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return Got(dict(headers), body, time.time(), head[0].split()[1])


@asynccontextmanager
async def receiving(
    receiver: Receiver | None = None, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Serve on a free port (or again on its own) until the end of the block."""
    receiver = receiver or Receiver()
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)
        tasks.discard(task)

    receiver.port = receiver.port or free_port()
    server = await asyncio.start_server(serve, host, receiver.port, ssl=tls)
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
