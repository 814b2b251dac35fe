"""A leader's term: read, send, settle, until it is told to stop, asked to step down, or loses the lead."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from booking_outbox._errors import Unpublished
from booking_outbox._lane import Lane
from booking_outbox._lead import Lead
from booking_outbox._metrics import RelayMetrics
from booking_outbox._publisher import Publisher
from booking_outbox._reading import Published, mark_again, read, settle

log = logging.getLogger("booking_outbox.relay")
# Commits and acknowledgements wake the loop; a poll is for the wake-up that got lost, and each costs a query.
_FIRST_POLL, _LONGEST_POLL = 0.05, 1.0
_CONTEST_SECONDS = 1.0
_LATE_SECONDS = 1.0  # how long that question may wait while there are marks
_SAID_SECONDS = 10.0  # a refused topic is named in the log so often, not with each try


class Term:
    """One term of one leader. `run` returns when it ended cleanly; afterwards `in_doubt` names what to mark again."""

    def __init__(
        self,
        lead: Lead,
        *,
        topics: Sequence[Published],
        topic_prefix: str,
        bootstrap: str,
        deadline: float,
        kafka_options: dict[str, Any],
        metrics: RelayMetrics,
        woken: asyncio.Event,
        stop: asyncio.Event,
        turned: Callable[[], object],
    ) -> None:
        self.moved_at = time.monotonic()
        self.in_doubt: dict[str, list[bytes]] = {}
        self._lead = lead
        self._bootstrap = bootstrap
        self._deadline = deadline
        self._options = kafka_options
        self._metrics = metrics
        self._woken = woken
        self._stop = stop
        self._lanes = [Lane(t, topic_prefix + t.topic.name, metrics, self._moved) for t in topics]
        self._publisher: Publisher | None = None
        self._poll = _FIRST_POLL
        self._contest_at = 0.0
        self._said_at: dict[str, float] = {}
        self._asked = False
        self._refused = False
        self._turned = turned

    async def start(self) -> Publisher | None:
        """A connected producer that knows the topics, however long that takes; None when told to stop first."""
        pause = 0.1
        while self._publisher is None and not self._stop.is_set():
            self._lead.check()
            self._turned()
            try:
                publisher = await Publisher.start(self._bootstrap, deadline=self._deadline, options=self._options)
                self._publisher = publisher
                for lane in self._lanes:
                    await publisher.partitions(lane.physical)
            except Unpublished as error:
                self._metrics.waiting_for = "kafka"
                self._say("start", str(error))
                await self._throw_away()
                await self._pause(pause)
                pause = min(2.0, pause * 2)
        if not self._refused:
            self._metrics.waiting_for = None
        return self._publisher

    async def run(self) -> None:
        """Publish until stopped, or until somebody asks for the lead. LeadLost or a psycopg error: the lead is gone."""
        publisher = await self.start()
        while publisher is not None and not self._stop.is_set():
            self._lead.check()
            self._turned()
            if any(lane.failed for lane in self._lanes):
                publisher = await self._recover()
                continue
            for lane in self._lanes:
                lane.unpark(publisher)
            moved = await self._step(publisher)
            if self._asked:
                return
            if not moved:
                await self._rest()

    async def _step(self, publisher: Publisher) -> bool:
        """Database work for the next window while the last one is packed and sent; whether anything moved."""
        database = asyncio.create_task(self._database(), name="relay database")
        try:
            await asyncio.sleep(0)  # the query is on its way before packing takes the processor
            for lane in self._lanes:
                await lane.dispatch(publisher, self._lead.check)
        finally:
            moved = await database
        return moved

    async def _database(self) -> bool:
        moved = False
        for lane in self._lanes:
            if marks := lane.acknowledged():
                await settle(self._lead.conn, lane.name, marks, lane.states)
                lane.settled(marks)
                self._lead.heard()
                self.moved_at = time.monotonic()
                self._accepted()
                moved = True
        for lane in await self._with_marks():
            records = await read(self._lead.conn, lane.published, lane.room, lane.skip())
            self._lead.heard()
            lane.take(records)
            moved = moved or bool(records)
        if not moved and not any(lane.in_hand for lane in self._lanes):
            self._accepted()  # nothing waits that could be refused
        # Whether somebody asks for the lead: after the marks, which the question would hold up.
        if time.monotonic() - (_LATE_SECONDS if moved else 0.0) >= self._contest_at:
            self._contest_at = time.monotonic() + _CONTEST_SECONDS
            self._asked = await self._lead.contested()
        return moved

    def _accepted(self) -> None:
        """Kafka takes what we send."""
        if self._refused:
            self._refused, self._metrics.waiting_for = False, None

    async def _with_marks(self) -> list[Lane]:
        """Lanes worth reading. With several topics one question spares reading each in vain."""
        lanes = [lane for lane in self._lanes if lane.room]
        if len(lanes) < 2:
            return lanes
        cursor = self._lead.conn.cursor()
        await cursor.execute(
            "SELECT t FROM unnest(%s::text[]) t WHERE EXISTS (SELECT 1 FROM outbox WHERE topic = t)",
            ["{" + ",".join(lane.name for lane in lanes) + "}"],
        )
        self._lead.heard()
        marked = {row[0] for row in await cursor.fetchall()}
        return [lane for lane in lanes if lane.name.encode() in marked]

    async def _rest(self) -> None:
        """Wait for a wake-up, an acknowledgement, or the next poll: soon when busy, a second when idle."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._woken.wait()
        self._poll = _FIRST_POLL if self._woken.is_set() else min(_LONGEST_POLL, self._poll * 2)
        self._woken.clear()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _moved(self) -> None:
        self._woken.set()

    async def _recover(self) -> Publisher | None:
        """After any failure: nothing in hand is trusted, and the producer least of all (K1).

        A broker may answer and still refuse (too few replicas, a full disk): until it takes a batch we wait for Kafka,
        and a restart of this process would help nobody.
        """
        self._refused, self._metrics.waiting_for = True, "kafka"
        for lane in self._lanes:
            if lane.failed:
                refused = ", ".join(str(partition) for partition in sorted(lane.failed))
                self._say(lane.name, f"partitions {refused} not acknowledged: {next(iter(lane.failed.values()))!r}")
        await self._end_flights(1.0)
        await self._settle_all()
        await self._remark()
        await self._throw_away()
        return await self.start()

    async def _remark(self) -> None:
        """Mark again the state rows whose sending is in doubt: a late copy of an old value would win for ever."""
        self.abandon()
        await mark_again(self._lead.conn, self.in_doubt)
        self.in_doubt = {}

    def abandon(self) -> None:
        """Drop what is in hand, keeping note of the state rows that may have been sent."""
        for lane in self._lanes:
            if keys := lane.abandon():
                self.in_doubt.setdefault(lane.name, []).extend(keys)

    async def finish(self, seconds: float) -> None:
        """A clean end: await what is in flight, delete what was acknowledged; what is in doubt then is marked again."""
        await self._end_flights(seconds)
        await self._settle_all()
        await self._remark()
        if self._publisher is not None:
            await self._publisher.stop()
            self._publisher = None

    async def cut(self) -> None:
        """An unclean end: no more word to Kafka, at once."""
        await self._end_flights(0)
        self.abandon()
        await self._throw_away()

    async def _settle_all(self) -> None:
        for lane in self._lanes:
            if marks := lane.acknowledged():
                await settle(self._lead.conn, lane.name, marks, lane.states)
                lane.settled(marks)
        self._lead.heard()

    async def _end_flights(self, seconds: float) -> None:
        flights = [flight for lane in self._lanes for flight in lane.flights]
        if not flights:
            return
        if seconds:
            await asyncio.wait(flights, timeout=seconds)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _say(self, what: str, sentence: str) -> None:
        """Into the log, each thing at most every ten seconds."""
        if time.monotonic() >= self._said_at.get(what, 0.0):
            self._said_at[what] = time.monotonic() + _SAID_SECONDS
            log.warning("relay: %s: %s", what, sentence)

    async def _throw_away(self) -> None:
        if self._publisher is not None:
            publisher, self._publisher = self._publisher, None
            await publisher.discard()
