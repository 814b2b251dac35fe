"""Whether a broker answers: Kafka's ApiVersions request, sixty bytes, on a connection of its own.

A TCP connect would not do: a stopped broker's kernel still accepts. aiokafka's client would: it costs a second.
"""

import asyncio
import socket
import struct

_CLIENT = b"probe"
_API_VERSIONS = struct.pack(">hhih", 18, 0, 1, len(_CLIENT)) + _CLIENT
_REQUEST = struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS


async def broker_answers(bootstrap: str, timeout: float = 2.0) -> bool:  # noqa: ASYNC109 - the whole probe's deadline
    """True when any of the `host:port` in `bootstrap` answers in `timeout` seconds."""
    return await why_no_broker(bootstrap, timeout) is None


async def why_no_broker(bootstrap: str, timeout: float = 2.0) -> str | None:  # noqa: ASYNC109 - as above
    """None when any of the `host:port` answers in `timeout` seconds, else what each did instead."""
    addresses = [address.strip() for address in bootstrap.split(",")]
    found = await asyncio.gather(*(_why_not(address, timeout) for address in addresses))
    if None in found:
        return None
    return "; ".join(f"{address}: {why}" for address, why in zip(addresses, found, strict=True))


async def _why_not(address: str, seconds: float) -> str | None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                writer.write(_REQUEST)
                await writer.drain()
                size, correlation = struct.unpack(">ii", await reader.readexactly(8))
                return None if size >= 4 and correlation == 1 else "something else than a broker answers"
            finally:
                writer.transport.abort()
    except TimeoutError:
        return "no answer"
    except asyncio.IncompleteReadError:
        return "the connection ended without an answer"
    except socket.gaierror:
        return "no such host"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
