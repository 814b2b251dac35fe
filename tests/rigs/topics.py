"""A topic as it is now, read to its end.

aiokafka may fall silent with the position that it has (docs/reliability.md, K3): a client that gets nothing for a while
is thrown away, and a new one reads from the beginning. It may also hang for good, even in its stop (K9): no client is
waited for longer than `_MOST_SECONDS`.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from booking_contracts.deadlines import connected, within

_SECONDS, _MOST_SECONDS = 20.0, 100.0
_CLIENTS = 8


async def read(bootstrap: str, partitions: Sequence[TopicPartition]) -> list[ConsumerRecord]:
    """Every record of these partitions up to their ends at the call, one partition after the other.

    Raises AssertionError when no client gets there.
    """
    for _ in range(_CLIENTS):
        with contextlib.suppress(TimeoutError):
            return await within(_MOST_SECONDS, _read(bootstrap, partitions))
    raise AssertionError(f"no client read {partitions} to their ends")


async def _read(bootstrap: str, partitions: Sequence[TopicPartition]) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    async with connected(consumer, start=_SECONDS), asyncio.timeout(_SECONDS) as quiet:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            batches = (await consumer.getmany(timeout_ms=200)).values()
            if batches:
                quiet.reschedule(asyncio.get_running_loop().time() + _SECONDS)
            found += [record for batch in batches for record in batch]
    return sorted(found, key=lambda record: (record.topic, record.partition, record.offset))
