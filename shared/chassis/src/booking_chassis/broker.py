"""Whether a broker answers: Kafka's ApiVersions request, sixty bytes, on a connection of its own.

A TCP connect would not do: a stopped broker's kernel still accepts. aiokafka's client would: it costs a second.
"""

import asyncio
import struct
from contextlib import suppress

_CLIENT = b"probe"
_API_VERSIONS = struct.pack(">hhih", 18, 0, 1, len(_CLIENT)) + _CLIENT
_REQUEST = struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS


async def broker_answers(bootstrap: str, timeout: float = 2.0) -> bool:  # noqa: ASYNC109 - the whole probe's deadline
    """True when any of the `host:port` in `bootstrap` answers in `timeout` seconds."""
    answers = await asyncio.gather(*(_answers(address.strip(), timeout) for address in bootstrap.split(",")))
    return any(answers)


async def _answers(address: str, seconds: float) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                writer.write(_REQUEST)
                await writer.drain()
                size, correlation = struct.unpack(">ii", await reader.readexactly(8))
                return size >= 4 and correlation == 1
            finally:
                writer.transport.abort()
    return False
