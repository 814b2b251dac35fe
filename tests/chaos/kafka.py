"""Kafka clients that are closed however their start ends: the broker may be away just then."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient


@asynccontextmanager
async def started(client: Any) -> AsyncGenerator[Any]:
    """The client, started; closed at the end, also when it could not start. Raises KafkaError."""
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
