"""The relay: **every committed event reaches its topic at least once, and the first appearances of one aggregate's
events are in version order.**

Any number of processes run one; one leads, the others stand by. Duplicates come only of a crash, a failed batch or a
hand-over.
"""
# pyright: reportMissingTypeStubs=false

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from aiokafka.errors import KafkaError

from booking_outbox.errors import OutboxError, StoreOlderThanTopic
from booking_outbox.lead import Lead
from booking_outbox.metrics import RelayMetrics
from booking_outbox.progress import Progress
from booking_outbox.republish import Republished, Selection, republish
from booking_outbox.restore import check_restore
from booking_outbox.session import connect
from booking_outbox.term import Term, mark_again
from booking_outbox.topics import EventTopic, Published
from booking_outbox.wake import Waker, listen

_log = logging.getLogger(__name__)
_STANDBY_SECONDS, _REFUSED_SECONDS = 1.0, 10.0


class Relay:
    """A worker (``name``, ``run``, ``progress``) that publishes a service's topics.

    ``lock_name`` names the leader's lock, one per service. ``deadline`` is how long a batch may take to be
    acknowledged, in seconds; ``grace`` how long a stop waits for batches in flight. ``kafka_options`` go to aiokafka
    (security, compression).
    """

    name = "relay"

    def __init__(
        self,
        *,
        database_url: str,
        bootstrap: str,
        topics: Sequence[Published],
        lock_name: str,
        topic_prefix: str = "",
        wake: Waker | None = None,
        deadline: float = 10.0,
        grace: float = 5.0,
        kafka_options: dict[str, Any] | None = None,
    ) -> None:
        self.metrics = RelayMetrics()
        self._url = database_url
        self._bootstrap = bootstrap
        self._prefix = topic_prefix
        self._topics = tuple(topics)
        self._lock_name = lock_name
        self._deadline = deadline
        self._grace = grace
        self._options = kafka_options or {}
        self._woken = asyncio.Event()
        self._waiting_for: str | None = None
        self._term: Term | None = None
        self._moved_at = time.monotonic()
        self._in_doubt: dict[str, list[bytes]] = {}
        if wake is not None:
            wake.attach(self._wake)

    def _wake(self) -> bool:
        self._woken.set()
        return self.metrics.leader

    def progress(self) -> Progress:
        """The leader's backlog; a standby has none."""
        term = self._term
        if not self.metrics.leader or term is None:
            return Progress(0, time.monotonic(), self._waiting_for)
        return Progress(sum(self.metrics.lag_events.values()), term.moved_at, term.waiting_for)

    async def republish(self, selection: Selection, *, accept_topic: bool = False) -> Republished:
        """Publish again what this relay publishes, under its own lock (see `republish`)."""
        return await republish(
            database_url=self._url,
            bootstrap=self._bootstrap,
            topics=self._topics,
            lock_name=self._lock_name,
            topic_prefix=self._prefix,
            selection=selection,
            accept_topic=accept_topic,
            kafka_options=self._options,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Campaign, lead, stand by, until ``stop``; then end within the grace. Survives database and broker."""
        ringing = asyncio.create_task(self._ring(stop))
        try:
            while not stop.is_set():
                pause = await self._try_term(stop)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                        await stop.wait()
        finally:
            ringing.cancel()

    async def _ring(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _try_term(self, stop: asyncio.Event) -> float:
        """One term, if the lock is free; gives the seconds to pause after it."""
        try:
            await self._lead_once(stop)
        except StoreOlderThanTopic as error:
            self._waiting_for, self.metrics.refused = "operator", True
            _log.error("relay: refusing to publish: %s", error)
            return _REFUSED_SECONDS
        except (psycopg.Error, OSError) as error:
            self._waiting_for = "postgres"
            _log.warning("relay: lost the database: %s", error)
        except (OutboxError, KafkaError) as error:
            self._waiting_for = "kafka"
            _log.warning("relay: %s", error)
        except Exception:  # noqa: BLE001 - a term may fail for any reason, the relay goes on and says so
            self._waiting_for = None
            _log.exception("relay: term ended")
        else:
            self._waiting_for = None
        return _STANDBY_SECONDS

    async def _lead_once(self, stop: asyncio.Event) -> None:
        await self._mark_in_doubt()
        lead = await Lead.open(self._url, self._lock_name, by_index=True)
        try:
            while not await lead.try_lock():
                self._waiting_for = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STANDBY_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311
                        await stop.wait()
                if stop.is_set():
                    return
            await self._serve(lead, stop)
        finally:
            await lead.release()

    async def _serve(self, lead: Lead, stop: asyncio.Event) -> None:
        term = self._term = Term(
            lead,
            topics=self._topics,
            topic_prefix=self._prefix,
            bootstrap=self._bootstrap,
            deadline=self._deadline,
            kafka_options=self._options,
            metrics=self.metrics,
            woken=self._woken,
            stop=stop,
        )
        beside = [
            asyncio.create_task(listen(self._url, self._woken.set), name="relay listen"),
            asyncio.create_task(lead.keep(), name="relay heartbeat"),
        ]
        clean = False
        try:
            self.metrics.leader = True
            await term.look()
            if await term.start() is not None:
                await self._check(lead)
            _log.info("relay: leading")
            await term.run()
            await term.finish(self._grace)
            clean = True
        finally:
            self.metrics.leader = False
            self._term = None
            if not clean:
                await term.cut()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            # Whoever ends uncleanly marks again what may have been sent late (see _mark_in_doubt, at the next
            # campaign).
            for topic, keys in term.in_doubt.items():
                self._in_doubt.setdefault(topic, []).extend(keys)

    async def _check(self, lead: Lead) -> None:
        topics = [topic.topic for topic in self._topics if isinstance(topic, EventTopic)]
        await check_restore(lead, topics, bootstrap=self._bootstrap, prefix=self._prefix, options=self._options)
        self.metrics.refused = False

    async def _mark_in_doubt(self) -> None:
        if self._in_doubt:
            async with await connect(self._url, "relay-remark") as conn:
                await mark_again(conn, self._in_doubt)
            self._in_doubt = {}
