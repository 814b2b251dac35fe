"""The tests' own proxy leaves nothing behind: a socket that it forgot would fail whichever test comes next."""

import asyncio
from contextlib import suppress

from shared.process.tests.proxy import Proxy


async def test_a_connection_that_is_just_being_made_is_closed_with_the_proxy():
    proxy = Proxy("192.0.2.1", 1)  # nobody answers there (RFC 5737)
    await proxy.up()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    async with asyncio.timeout(60):
        while not proxy._writers:  # noqa: ASYNC110 - an accepted connection tells nobody
            await asyncio.sleep(0.01)
        await proxy.close()
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
