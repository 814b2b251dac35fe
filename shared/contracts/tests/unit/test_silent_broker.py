"""A broker that takes connections and never says a word: whoever asks it about topics is told within their patience."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from booking_contracts.admin import drift


async def test_silent_broker__is_given_up_when_the_patience_ends():
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        address = "{}:{}".format(*server.sockets[0].getsockname())
        try:
            with pytest.raises(KafkaConnectionError, match="no broker answers"):
                await asyncio.wait_for(drift(address, patience=0.5), 15)  # aiokafka itself asks for forty seconds
        finally:
            over.set()
