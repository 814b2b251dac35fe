"""Where the topics end just now, through a Kafka client of its own, written down for `GET /v1/projections`."""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import contextlib
import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from booking_contracts.topics import SESSIONS
from booking_inbox.patience import within
from booking_process.database import Database

log = logging.getLogger("booking.projector")

_STORE = """
INSERT INTO projection_end (topic, partition, first_offset, end_offset)
SELECT %s, * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])
ON CONFLICT (topic, partition) DO UPDATE
SET first_offset = excluded.first_offset, end_offset = excluded.end_offset, measured_at = now()
"""


class Ends:
    """Measures begin and end of the sessions topic; a broker that does not answer leaves the last numbers standing."""

    def __init__(self, *, bootstrap: str, prefix: str, database: Database) -> None:
        self._bootstrap, self._topic, self._database = bootstrap, prefix + SESSIONS.name, database
        self._client: AIOKafkaConsumer | None = None

    async def measure(self) -> None:
        """Ask the broker and store the answer."""
        try:
            first, end = await within(5.0, self._asked())
        except (KafkaError, TimeoutError, OSError) as error:
            log.info("the topic's end is unknown: %s", type(error).__name__)
            await self.close()
            return
        async with self._database.autocommit() as conn:
            numbers = [p.partition for p in first], list(first.values()), [end[p] for p in first]
            await conn.execute(_STORE, (SESSIONS.name, *numbers))

    async def close(self) -> None:
        """Drop the client; the next measurement makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await within(2.0, client.stop())

    async def _asked(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        client = await self._started()
        partitions = [TopicPartition(self._topic, p) for p in sorted(client.partitions_for_topic(self._topic) or ())]
        if not partitions:
            # The topic is gone. Of one made anew this client would learn five minutes later; the next one asks at once.
            raise UnknownTopicOrPartitionError(self._topic)
        return await client.beginning_offsets(partitions), await client.end_offsets(partitions)

    async def _started(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = AIOKafkaConsumer(self._topic, bootstrap_servers=self._bootstrap, group_id=None)
            self._client = client  # before it is started: whatever ends the start, `close` stops it
            await client.start()
        return self._client
