"""The consumer of a service: one database transaction for each record, several keys side by side, then the offset."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from booking_inbox.attempts import Attempts
from booking_inbox.reader import Reader
from booking_inbox.reading import key_text, record_of
from booking_inbox.rules import Rules
from booking_inbox.subscription import Subscription
from booking_inbox.tracing import note, record_span
from booking_inbox.tuning import Tuning
from booking_inbox.watch import Watch
from booking_outbox import Progress, crash_point
from booking_process.database import Database

_PER_LANE = 8
"""Records in hand for each lane: enough that a key with several of them leaves no other lane idle."""


class Consumer:
    """A worker that applies the records of its topics exactly once in effect, in version order per key.

    Up to `tuning.lanes` keys are worked on at once: what holds a record up is waiting (commits, round trips), and keys
    have no order among each other.

    `transient` names the service's own exceptions that waiting cures; `after_commit` is called after each transaction
    that applied something (to wake the relay). The group is `group_id`, by default the name.
    """

    def __init__(
        self,
        name: str,
        subscriptions: Sequence[Subscription],
        *,
        database: Database,
        bootstrap: str,
        topic_prefix: str = "",
        group_id: str | None = None,
        transient: tuple[type[Exception], ...] = (),
        after_commit: Callable[[], None] | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self.name = name
        self.rules = Rules(name, subscriptions, transient)
        self.prefix = topic_prefix
        tuning = tuning or Tuning()
        self.tuning = replace(tuning, batch_size=max(tuning.batch_size, _PER_LANE * tuning.lanes))
        self._attempts = Attempts(name, database, self.rules, self.tuning)
        self._watch = Watch(name, topic_prefix, database, self.tuning)
        self._after_commit = after_commit
        self._bootstrap, self._group_id = bootstrap, group_id or name
        self._reader: Reader | None = None

    def progress(self) -> Progress:
        """The backlog and when it last moved (reliability.md, Liveness that works)."""
        return self._reader.progress() if self._reader else Progress(0, time.monotonic())

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, waiting for Kafka and PostgreSQL as long as it takes; then end within the grace."""
        self._reader = Reader(
            name=self.name,
            group_id=self._group_id,
            topics=[self.prefix + name for name in self.rules.subscriptions],
            bootstrap=self._bootstrap,
            take=self._take,
            tuning=self.tuning,
            waiting_for=self._attempts.waiting_for,
        )
        watch = asyncio.create_task(self._watch.run(self._reader))
        try:
            await self._reader.run(stop)
        finally:
            watch.cancel()

    async def _take(self, batch: Sequence[Any]) -> bool:
        keys: dict[tuple[str, str | None], list[Any]] = {}
        for raw in batch:
            keys.setdefault((raw.topic, key_text(raw.key)), []).append(raw)
        waiting = deque(keys.values())
        async with asyncio.TaskGroup() as lanes:
            tasks = [lanes.create_task(self._lane(waiting)) for _ in range(min(self.tuning.lanes, len(waiting)))]
        return all(task.result() for task in tasks)

    async def _lane(self, waiting: deque[list[Any]]) -> bool:
        """Take one key after the other; False if a stop came first."""
        while waiting:
            for raw in waiting.popleft():
                if not await self._take_one(raw):
                    return False
        return True

    async def _take_one(self, raw: Any) -> bool:
        assert self._reader is not None
        if self._reader.stopping.is_set():
            return False
        record = record_of(raw, self.prefix)
        with record_span(self.name, record) as span:
            taken = await self._attempts.settle(record, self._reader.stopping)
            note(span, taken.outcome if taken else "released")
        if taken is None:
            return False
        self._watch.count(record, taken, self._reader)
        self._reader.settled(raw)
        crash_point("consumer.after_commit")
        if self._after_commit is not None and (taken.outcome == "applied" or taken.drained):
            self._after_commit()
        return True
