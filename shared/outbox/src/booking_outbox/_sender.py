"""Sending again, page by page: what republishing and notices have in common."""

import asyncio
from collections.abc import Sequence
from typing import Any

from booking_contracts.ids import partition_of
from booking_contracts.notices import Stretch
from booking_outbox._encoding import Outgoing
from booking_outbox._errors import Unpublished
from booking_outbox._lead import Lead
from booking_outbox._publisher import Publisher

_TRIES = 5


class Sender:
    """Sends a page, each partition in order and all awaited; after a failure again as a whole, by a new producer."""

    def __init__(self, bootstrap: str, topic: str, options: dict[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._options = options
        self._publisher: Publisher | None = None
        self._stretches: dict[int, Stretch] = {}

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Where what was acknowledged lies: of each partition from the first to the last."""
        return tuple(self._stretches[partition] for partition in sorted(self._stretches))

    async def send(self, records: Sequence[Outgoing], lead: Lead) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await self._try(records, lead)
            except Unpublished:
                if self._publisher is not None:
                    await self._publisher.discard()
                    self._publisher = None
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(attempt)
            else:
                return

    async def _try(self, records: Sequence[Outgoing], lead: Lead) -> None:
        publisher = self._publisher = self._publisher or await Publisher.start(self._bootstrap, options=self._options)
        partitions = await publisher.partitions(self._topic)
        by_partition: dict[int, list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault(partition_of(record.key, partitions), []).append(record)
        sends = [asyncio.create_task(self._partition(publisher, p, rs, lead)) for p, rs in by_partition.items()]
        try:
            await asyncio.gather(*sends)
        finally:
            for send in sends:
                send.cancel()
            await asyncio.gather(*sends, return_exceptions=True)

    async def _partition(self, publisher: Publisher, partition: int, records: Sequence[Outgoing], lead: Lead) -> None:
        for batch, packed in publisher.pack(records):
            lead.check()
            first = await publisher.send(self._topic, partition, batch)
            begun = self._stretches.get(partition)
            self._stretches[partition] = Stretch(
                partition=partition, first=begun.first if begun else first, last=first + len(packed) - 1
            )

    async def close(self) -> None:
        if self._publisher is not None:
            await self._publisher.stop()
            self._publisher = None
