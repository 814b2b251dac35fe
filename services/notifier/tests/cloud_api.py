"""Meta's Cloud API for tests: a raw HTTP server, so that it can cut a connection at any byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Meta:
    """What was accepted, and the script of answers: each is taken once, then all goes well."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    script: list["Misdeed"] = field(default_factory=list)
    always: "Misdeed | None" = None
    before_answer: "Callable[[], Awaitable[None]] | None" = None
    """Awaited once a message is taken, before its sender is told."""
    asked: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v23.0"

    def accept(self, body: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(body)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{len(self.messages)}"}]}


@dataclass(frozen=True)
class Misdeed:
    """One answer: an error of Meta's, or a cut after the message was taken."""

    status: int = 400
    code: int | None = None
    retry_after: int | None = None
    cut_after_accept: bool = False
    raw: bytes | None = None


@asynccontextmanager
async def cloud_api(meta: Meta) -> AsyncIterator[Meta]:
    """Serve on a free port until the end of the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        body = json.loads(await reader.readexactly(length))
        meta.asked += 1
        misdeed = meta.script.pop(0) if meta.script else meta.always
        cut = misdeed is not None and misdeed.cut_after_accept
        answer = _answer(meta, body, None if cut else misdeed)
        if meta.before_answer is not None:
            await meta.before_answer()
        if cut:
            writer.transport.abort()
            return
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", meta.port)
    meta.port = server.sockets[0].getsockname()[1]
    try:
        yield meta
    finally:
        server.close()


def _answer(meta: Meta, body: dict[str, Any], misdeed: Misdeed | None) -> bytes:
    if misdeed is not None and misdeed.raw is not None:
        return misdeed.raw
    status = 200 if misdeed is None else misdeed.status
    document = meta.accept(body) if misdeed is None else {"error": {"code": misdeed.code, "message": "no"}}
    content = json.dumps(document).encode()
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    if misdeed is not None and misdeed.retry_after is not None:
        head.append(f"Retry-After: {misdeed.retry_after}")
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + content
