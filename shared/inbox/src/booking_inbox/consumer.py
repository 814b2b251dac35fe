"""What a service declares and runs: which topics it takes, and the worker that takes them.

The declaration reads as FastStream's does (`@router.subscriber(TOPIC)`, `batch=True`). It is ours, since a held
record is applied without a broker (by an operator, behind its predecessor), and one Kafka client reads all topics.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar, overload

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic
from booking_inbox import held
from booking_inbox.batch import ApplyAll
from booking_inbox.engine import Engine, Positions, Receiving
from booking_inbox.figures import publish_held
from booking_inbox.inbox import Apply, Inbox
from booking_inbox.patience import Tuning
from booking_outbox import Progress
from booking_process.database import Database
from booking_process.observed import refreshed

log = logging.getLogger("booking.consumer")

One = TypeVar("One", bound=Apply)
Many = TypeVar("Many", bound=ApplyAll)


class InboxRouter:
    """A service's subscribers. Either each takes record by record, or one takes many at once (`batch=True`).

    What has an outside effect never takes many (K12): a batch that fails is tried again record by record.
    """

    def __init__(self) -> None:
        self.batch: ApplyAll | None = None
        self.subscribers: dict[Topic, Apply] = {}
        """Who takes one record of each topic, also a held one."""

    @overload
    def subscriber(self, *topics: Topic) -> Callable[[One], One]: ...

    @overload
    def subscriber(self, *topics: Topic, batch: Literal[True]) -> Callable[[Many], Many]: ...

    def subscriber(self, *topics: Topic, batch: bool = False) -> Callable[[Any], Any]:
        """Declare who takes these topics' records: `Apply`, or `ApplyAll` where `batch` is set."""

        def declare(apply: Any) -> Any:
            if self.batch is not None or (batch and self.subscribers):
                raise ValueError("a subscriber of many at once is the only one of its consumer")
            self.batch = apply if batch else None
            self.subscribers.update(dict.fromkeys(topics, partial(_alone, apply) if batch else apply))
            return apply

        return declare


async def _alone(apply: ApplyAll, conn: psycopg.AsyncConnection, item: Decoded) -> None:
    await apply(conn, [item])


class Consumer:
    """A worker that applies the records of its topics exactly once in effect, in version order per key.

    Record by record up to `tuning.lanes` keys are worked on at once: what holds a record up is waiting (commits, round
    trips), and keys have no order among each other. A batch is what has been fetched already, up to
    `tuning.batch_size`: it never waits to fill, so a single record is as fast as alone.

    `transient` names the service's own exceptions that waiting cures; `after_commit` is called after each transaction
    that applied something (to wake the relay). The group is `group_id`, by default the name. With `positions` (batches
    only) the place in each partition is read from there and moves in each transaction.
    """

    def __init__(
        self,
        name: str,
        router: InboxRouter,
        *,
        database: Database,
        bootstrap: str,
        topic_prefix: str = "",
        group_id: str | None = None,
        transient: tuple[type[Exception], ...] = (),
        after_commit: Callable[[], None] | None = None,
        positions: Positions | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.name = name
        self.inbox = Inbox(name, router.subscribers, transient=transient)
        self.tuning = tuning or Tuning()
        self._prefix, self._database = topic_prefix, database
        receiving = Receiving(self.inbox, topic_prefix, router.batch, after_commit)
        self.engine = Engine(
            name,
            list(self.inbox.topics),
            receiving,
            together=router.batch is not None,
            database=database,
            bootstrap=bootstrap,
            topic_prefix=topic_prefix,
            group_id=group_id,
            transient=transient,
            positions=positions,
            known=receiving.known,
            tuning=self.tuning,
        )

    def progress(self) -> Progress:
        """The backlog and when it last moved (reliability.md, Liveness that works)."""
        return self.engine.progress()

    async def watch(self) -> None:
        """Keep the group's lag true until cancelled: for a process that does not `run` this consumer."""
        await self.engine.watch()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, waiting for Kafka and PostgreSQL as long as it takes; then end within the grace."""
        watch = asyncio.create_task(self._watch_held())
        try:
            await self.engine.run(stop)
        finally:
            watch.cancel()

    async def _watch_held(self) -> None:
        """Publish the held records' numbers, and let paused partitions go on when their gaps are closed."""
        while True:
            try:
                async with self._database.autocommit() as conn:
                    await publish_held(conn, self.name)
                    refreshed(f"{self.name} held")
                    await self._resume(conn)
            except Exception as error:  # noqa: BLE001 -- a watch must outlive any outage
                log.info("consumer %s cannot read its held records: %s", self.name, type(error).__name__)
            await asyncio.sleep(5 * self.tuning.tick)

    async def _resume(self, conn: psycopg.AsyncConnection) -> None:
        reader, limit = self.engine.reader, self.tuning.gap_limit
        for partition in list(reader.paused):
            topic = partition.topic.removeprefix(self._prefix)
            if limit is None or await held.gap_keys(conn, self.name, topic, partition.partition) <= limit:
                reader.resume(partition)
