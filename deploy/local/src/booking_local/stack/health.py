"""Asking a process over HTTP how it is, by sockets alone: an HTTP library takes longer to import than to ask."""

import asyncio


async def ask(port: int, path: str, *, seconds: float = 2.0) -> int | None:
    """The status of a GET on 127.0.0.1, or None when there is no answer in time."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
