"""A line that is cut at the worst moment: a service did what it was told, and its answer never comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Cut:
    """Stands before a service and passes everything on, but for the first answer to this request."""

    def __init__(self, request: str) -> None:
        self._request = request.encode() + b" "
        self._done = False
        self.keys: list[str] = []
        """The Idempotency-Key of each such request that came by."""
        self.url = ""

    @asynccontextmanager
    async def before(self, url: str) -> AsyncIterator["Cut"]:
        """Until the block ends, `url` of this object is the service at that address."""
        service = urlsplit(url)

        async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back, there = await asyncio.open_connection(service.hostname, service.port)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._asks(reader, there))
                both.create_task(self._answers(back, writer))

        server = await asyncio.start_server(passing, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        async with server:
            yield self

    async def _asks(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if data.startswith(self._request):
                lines = data.decode("latin-1").split("\r\n")
                self.keys += [line.partition(": ")[2] for line in lines if line.lower().startswith("idempotency-key:")]
            there.write(data)
        there.close()

    async def _answers(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(back):
            if self.keys and not self._done:
                self._done = True
                writer.transport.abort()
                return
            writer.write(data)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""
