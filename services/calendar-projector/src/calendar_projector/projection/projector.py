"""The worker: keeps an engine for each generation that is shown or built, measures, and switches when it may."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import within
from booking_contracts.topics import SESSIONS
from booking_inbox import Engine, Tuning
from booking_inbox.figures import publish_held
from booking_inbox.patience import is_transient
from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError
from booking_process.logs import described
from booking_process.observed import refreshed
from calendar_projector.projection.consumer import Batch, Kafka, engine_of
from calendar_projector.projection.generations import Generation, generations
from calendar_projector.projection.state import SWITCHES, publish_lag
from calendar_projector.projection.switch import NotYet, Switched, switch
from calendar_projector.stream.log import refresh_all

log = logging.getLogger("booking.projector")

_CAUGHT_UP = """
SELECT coalesce(bool_and(coalesce(n.next_offset, 0) >= o.next_offset), true)
FROM projection_position o
LEFT JOIN projection_position n ON (n.generation, n.topic, n.partition) = (%s, o.topic, o.partition)
WHERE o.generation = %s
"""

_BEYOND = """
SELECT DISTINCT p.generation FROM projection_position p JOIN projection_end e USING (topic, partition)
WHERE p.next_offset > e.end_offset AND p.updated_at < e.measured_at
"""


class Projector:
    """A worker; several copies share the partitions of each generation's group."""

    name = "projector"

    def __init__(
        self,
        *,
        database: Database,
        kafka: Kafka,
        published: Callable[[], None],
        tuning: Tuning | None = None,
        rebuild_consumers: int = 2,
        patience: float = 10.0,
        tick: float = 0.5,
    ) -> None:
        self._database, self._kafka, self._published = database, kafka, published
        self._live = replace(tuning or Tuning(batch_size=2000), gap_limit=None)
        self._rebuild = replace(self._live, batch_size=10_000)
        self._rebuild_consumers, self._patience, self._tick = rebuild_consumers, patience, tick
        self._ends = Ends(bootstrap=kafka.bootstrap, prefix=kafka.prefix, database=database)
        self._engines: dict[int, list[Engine[Batch]]] = {}
        self._tasks: dict[int, tuple[asyncio.Event, list[asyncio.Task[None]]]] = {}
        self._shown: int | None = None
        self._caught_up_since: float | None = None
        self._looked_at = time.monotonic()
        self._waiting_for: str | None = None

    def progress(self) -> Progress:
        """Of the generation that is shown: a rebuild that stands still takes nothing from anybody."""
        engines = self._engines.get(self._shown or 0, [])
        found = [engine.progress() for engine in engines]
        if not found:  # the calendar has no reader: whatever there is to read, nobody moves
            return Progress(1, self._looked_at, self._waiting_for)
        waiting = next((p.waiting_for for p in found if p.waiting_for), None)
        return Progress(sum(p.backlog for p in found), min(p.moved_at for p in found), waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`."""
        measured = 0.0
        try:
            while not stop.is_set():
                try:
                    await self._look()
                    self._waiting_for = None
                    if time.monotonic() - measured > 1.0:
                        measured = time.monotonic()
                        await self._measure()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self._waiting_for = self._waiting_for or "postgres"
                    log.info("the projector waits: %s", type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._tick)
        finally:
            await asyncio.gather(*(self._stop(generation) for generation in list(self._tasks)))
            await self._ends.close()

    async def _look(self) -> None:
        async with self._database.autocommit() as conn:
            found = {g.state: g for g in await generations(conn)}
        active, building = found["active"], found.get("building")
        wanted = {g.id: g for g in (active, building) if g is not None}
        for generation in list(self._tasks):
            if generation not in wanted or self._ended(generation):
                await self._stop(generation)
        for generation in wanted.values():
            if generation.id not in self._tasks:
                self._start(generation)
        self._shown, self._looked_at = active.id, time.monotonic()
        if building is not None:
            await self._try_switch(active, building)
        else:
            self._caught_up_since = None

    async def watch(self) -> None:
        """Keep the lag's figures true until cancelled: for a process that does not `run` the projector."""
        try:
            while True:
                with contextlib.suppress(DatabaseDownError, psycopg.Error):
                    await self._ends.measure()
                    async with self._database.autocommit() as conn:
                        await publish_lag(conn, SESSIONS.name)
                        refreshed("projection")
                await asyncio.sleep(2.0)
        finally:
            await self._ends.close()

    def _ended(self, generation: int) -> bool:
        """Whether one of its consumers is gone, and with what; unasked none ends, and nobody else would miss it."""
        _, tasks = self._tasks[generation]
        for task in tasks:
            if task.done():
                error = asyncio.CancelledError() if task.cancelled() else task.exception() or RuntimeError()
                log.error("generation %d: a consumer ended and starts again: %s", generation, described(error))
        return any(task.done() for task in tasks)

    def _start(self, generation: Generation) -> None:
        shown = generation.state == "active"
        tuning = self._live if shown else self._rebuild
        # Partitions in parallel: two consumers in one loop, one parses while the other waits for the database.
        engines = [
            engine_of(
                generation.id,
                generation.place,
                database=self._database,
                kafka=self._kafka,
                tuning=tuning,
                published=self._published,
            )
            for _ in range(1 if shown else self._rebuild_consumers)
        ]
        stop = asyncio.Event()
        self._engines[generation.id] = engines
        tasks = [asyncio.create_task(one.run(stop), name=f"generation {generation.id}") for one in engines]
        self._tasks[generation.id] = stop, tasks
        log.info("generation %d (%s) runs in slot %s", generation.id, generation.state, generation.slot)

    async def _stop(self, generation: int) -> None:
        stop, tasks = self._tasks.pop(generation)
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._engines.pop(generation, None)

    async def _try_switch(self, active: Generation, building: Generation) -> None:
        async with self._database.autocommit() as conn:
            row = await (await conn.execute(_CAUGHT_UP, (building.id, active.id))).fetchone()
        if row is None or not row[0]:
            self._caught_up_since = None
            return
        self._caught_up_since = self._caught_up_since or time.monotonic()
        patient = time.monotonic() - self._caught_up_since < self._patience
        async with self._database.transaction(deadline=3600.0) as conn:
            result = await switch(conn, active, building, insist_on_equal=patient)
            if isinstance(result, Switched):
                await refresh_all(conn)  # who looks at a calendar may see other rows now
        match result:
            case NotYet(behind, ahead):
                log.info("generation %d: behind in %d, ahead in %d partitions", building.id, behind, ahead)
            case Switched(comparison):
                self._caught_up_since = None
                SWITCHES.inc()
                log.info("generation %d is shown now: %s", building.id, _summary(comparison))
                self._published()

    async def _measure(self) -> None:
        await self._ends.measure()
        async with self._database.autocommit() as conn:
            for row in await (await conn.execute(_BEYOND)).fetchall():
                for engine in self._engines.get(row[0], []):
                    engine.reader.seek_again()  # its topic was recreated meanwhile (F51)
            # What a rebuild holds is what is held already, until it is shown.
            for generation in await generations(conn):
                await publish_held(conn, generation.place.consumer, counts=generation.state == "active")
            await publish_lag(conn, SESSIONS.name)
            refreshed("projection")


def _summary(comparison: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in comparison.items() if name != "sample"}


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
            client = AIOKafkaConsumer(self._topic, **client_options(self._bootstrap), group_id=None)
            self._client = client  # before it is started: whatever ends the start, `close` stops it
            await within(5.0, client.start())
        return self._client
