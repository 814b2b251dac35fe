"""From Kafka into the stream's log: each event of Transactions and sessions once, those of one in their order.

The stream is no read model: nothing waits for what cannot be read, and nobody settles anything. Whoever keeps rows of
the same topics holds such a record, and tells people of it. A copy is known by its event's id, so there are no version
rows, and places are Kafka's own offsets, committed after the rows.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.records import from_aiokafka
from booking_contracts.topics import SESSIONS, TRANSACTIONS
from booking_inbox import Engine, Failure, Result, Tuning
from booking_inbox.reading import Poison, read
from booking_process.database import Database
from calendar_projector.stream.log import KEPT, append

log = logging.getLogger("booking.stream")

NAME = "calendar-stream"
_TOLD, _NOT_TOLD = Result("applied"), Result("ignored")


class Telling:
    """What the engine does with the records of both topics."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    async def read(self, raws: Sequence[Any], *, alone: bool) -> list[Decoded | None]:
        """The events that are to be told; a reader that begins has all there ever was before it."""
        del alone
        since = datetime.now(UTC) - KEPT
        return [None if (raw.timestamp or 0) / 1000 < since.timestamp() else self._event(raw, since) for raw in raws]

    async def handle(
        self, conn: psycopg.AsyncConnection, work: list[Decoded | None], failure: Failure | None
    ) -> list[Result]:
        """Append what is to be told."""
        if failure is not None:
            log.error("an event is not told: %s", failure.error)
            return [_NOT_TOLD]
        await append(conn, [record for record in work if record is not None])
        return [_NOT_TOLD if record is None else _TOLD for record in work]

    def committed(self, work: list[Decoded | None], results: Sequence[Result]) -> None:
        """Nothing: the commit itself wakes who listens."""

    def _event(self, raw: Any, since: datetime) -> Decoded | None:
        record = read(from_aiokafka(raw, self._prefix), sequenced=True)
        if isinstance(record, Poison) or record.event is None or record.meta.time < since:
            return None
        return record


def teller(database: Database, bootstrap: str, prefix: str) -> Engine[list[Decoded | None]]:
    """The worker; several copies share the partitions."""
    return Engine(
        NAME,
        [TRANSACTIONS.name, SESSIONS.name],
        Telling(prefix),
        together=True,
        database=database,
        bootstrap=bootstrap,
        topic_prefix=prefix,
        tuning=Tuning(batch_size=500, gap_limit=None),
    )
