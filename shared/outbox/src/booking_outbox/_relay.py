"""The relay: **every committed event reaches its topic at least once, and the first appearances of one aggregate's
events are in version order.**

Any number of processes run one; one leads, the others stand by. Duplicates come only of a crash, a failed batch or a
hand-over.
"""
# pyright: reportMissingTypeStubs=false

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import datetime
from random import SystemRandom
from typing import Any

import psycopg
from aiokafka.errors import KafkaError

from booking_outbox._counts import Count, counts
from booking_outbox._encoding import codec
from booking_outbox._errors import LeadLost, OutboxError, StoreOlderThanTopic
from booking_outbox._lead import Lead, connect
from booking_outbox._metrics import LagWatch, RelayMetrics
from booking_outbox._reading import EventTopic, Published, StateTopic, mark_again
from booking_outbox._republish import Republished, Selection, lock, republish
from booking_outbox._restore import check_restore
from booking_outbox._term import Term
from booking_outbox._wake import Waker, listen
from booking_outbox._worker import Progress

log = logging.getLogger("booking_outbox.relay")
_STANDBY_SECONDS, _REFUSED_SECONDS = 0.3, 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # between terms that fail
_TURN_SECONDS = 30.0  # every wait of the relay ends before


class Relay:
    """A worker (``name``, ``run``, ``progress``) that publishes a service's topics.

    ``lock_name`` names the leader's lock, one per service. ``deadline`` is how long a batch may take to be
    acknowledged, in seconds; ``grace`` how long a stop waits for batches in flight. ``kafka_options`` go to
    aiokafka's producer, but for ``compression_type``, ``none``, ``gzip`` or ``zstd``: ValueError for another one, and
    for an event topic whose ``states`` are not among ``topics``.
    ``bootstrap`` may carry what it takes to be let in (`Brokers`).
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
        codec((kafka_options or {}).get("compression_type"))  # refuses one that no batch can be packed with
        self.metrics = RelayMetrics()
        self._url = database_url
        self._bootstrap = bootstrap
        self._prefix = topic_prefix
        self._topics = _complete(topics)
        self._lock_name = lock_name
        self._deadline = deadline
        self._grace = grace
        self._options = kafka_options or {}
        self._woken = asyncio.Event()
        self._running = False
        self._term: Term | None = None
        self._turned_at = time.monotonic()
        self._pause = _FIRST_PAUSE
        self._in_doubt: dict[str, list[bytes]] = {}
        if wake is not None:
            wake.attach(self._wake)

    def _wake(self) -> bool:
        self._woken.set()
        return self.metrics.leader

    def progress(self) -> Progress:
        """The leader's backlog; a standby has none. A loop that does not turn is stuck, whatever it said it waits for:
        each of its waits has a deadline."""
        now, term = time.monotonic(), self._term
        if self._running and now - self._turned_at > _TURN_SECONDS:
            return Progress(max(1, sum(self.metrics.lag_events.values())), self._turned_at)
        if not self.metrics.leader or term is None:
            return Progress(0, now, self.metrics.waiting_for)
        moved_at = max(term.moved_at, self.metrics.empty_at or 0.0)
        return Progress(sum(self.metrics.lag_events.values()), moved_at, self.metrics.waiting_for)

    async def watch(self) -> None:
        """Keep the lag's figures true until cancelled: for a process that does not `run` this relay."""
        names = [topic.topic.name for topic in self._topics]
        await LagWatch(self._url, names, self.metrics).run()

    def _turn(self) -> None:
        self._turned_at = time.monotonic()

    @property
    def topics(self) -> list[str]:
        """The logical names of what it publishes."""
        return [topic.topic.name for topic in self._topics]

    async def republish(
        self,
        selection: Selection,
        *,
        accept_topic: bool = False,
        only: Collection[str] | None = None,
        progress: Callable[[str, int], object] = lambda _topic, _sent: None,
        wait: float = 30.0,
    ) -> Republished:
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
            only=only,
            progress=progress,
            wait=wait,
        )

    async def counts(self, until: datetime) -> list[Count]:
        """What the store holds of what this relay publishes (see `counts`)."""
        return await counts(self._url, self._topics, until)

    @contextlib.asynccontextmanager
    async def standing_still(self, wait: float = 30.0) -> AsyncGenerator[None]:
        """For the length of a block nobody publishes these topics. LockBusy when that can't be had within ``wait``."""
        async with lock(self._url, self._lock_name, wait):
            yield

    async def run(self, stop: asyncio.Event) -> None:
        """Campaign, lead, stand by, until ``stop``; then end within the grace. Survives database and broker."""
        beside = [asyncio.create_task(self._ring(stop)), asyncio.create_task(self.watch(), name="relay lag")]
        self._turn()
        self._running = True
        events = [one.topic.name for one in self._topics if isinstance(one, EventTopic)]
        self.metrics.begin(events, [one.topic.name for one in self._topics if one.topic.name not in events])
        try:
            while not stop.is_set():
                self._turn()
                pause = await self._try_term(stop)
                await _until(stop, pause)
        finally:
            self._running = False
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _ring(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _try_term(self, stop: asyncio.Event) -> float:
        """One term, if the lock is free; gives the seconds to pause after it: few after one that led, then more."""
        try:
            await self._lead_once(stop)
        except StoreOlderThanTopic as error:
            self.metrics.waiting_for, self.metrics.refused = "operator", True
            log.log(logging.ERROR, "relay: refusing to publish: %s", error)
            return _REFUSED_SECONDS
        except LeadLost as error:
            self.metrics.waiting_for = "postgres"
            log.warning("relay: %s", error)
        except (psycopg.Error, OSError) as error:
            self.metrics.waiting_for = "postgres"
            log.warning("relay: lost the database: %s", error)
        except (OutboxError, KafkaError) as error:
            self.metrics.waiting_for = "kafka"
            log.warning("relay: %s", error)
        except Exception:  # a term may fail for any reason, the relay goes on and says so
            self.metrics.waiting_for = None
            log.exception("relay: term ended")
        else:
            self.metrics.waiting_for = None
            return _FIRST_PAUSE
        pause, self._pause = self._pause, min(_LONGEST_PAUSE, self._pause * 2)
        return pause

    async def _lead_once(self, stop: asyncio.Event) -> None:
        await self._mark_in_doubt()
        lead = await Lead.open(self._url, self._lock_name, by_index=True)
        try:
            while not await lead.try_lock():
                self._turn()
                self.metrics.waiting_for, self._pause = None, _FIRST_PAUSE
                await _until(stop, _STANDBY_SECONDS)
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
            turned=self._turn,
        )
        beside = [
            asyncio.create_task(listen(self._url, self._woken.set), name="relay listen"),
            asyncio.create_task(lead.keep(), name="relay heartbeat"),
        ]
        clean = False
        try:
            self.metrics.leader = True
            if await term.start() is not None:
                self._turn()
                await self._check(lead)
            log.info("relay: leading")
            self._pause = _FIRST_PAUSE
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
        await check_restore(lead, self._topics, bootstrap=self._bootstrap, prefix=self._prefix)
        self.metrics.refused = False

    async def _mark_in_doubt(self) -> None:
        if self._in_doubt:
            async with await connect(self._url, "relay-remark") as conn:
                await mark_again(conn, self._in_doubt)
            self._in_doubt = {}


def _complete(topics: Sequence[Published]) -> tuple[Published, ...]:
    rows = {one.topic.name for one in topics if isinstance(one, StateTopic)}
    for one in topics:
        if isinstance(one, EventTopic) and one.states is not None and one.states.name not in rows:
            raise ValueError(f"nobody sends {one.states.name}, whose keys the events of {one.topic.name} mark")
    return tuple(topics)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Pause, a fifth more or less (copies must not keep step), or until told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds * SystemRandom().uniform(0.8, 1.2)):
            await stop.wait()
