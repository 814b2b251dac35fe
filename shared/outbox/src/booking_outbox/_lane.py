"""One topic on its way to Kafka: what was read, what is in flight, what is held back.

The rules that keep a stream in order live here:
- one batch in flight per partition, the next only after its acknowledgement;
- after a failure nothing more of that partition goes out until everything in hand was dropped and its marks are read
anew;
- a mark that is in hand, or held back, is left out of the next reading by its id, never by a range.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from booking_contracts.ids import partition_of
from booking_outbox._encoding import Outgoing
from booking_outbox._errors import LeadLost, Unpublished
from booking_outbox._metrics import RelayMetrics, Times
from booking_outbox._publisher import Packed, Publisher
from booking_outbox._reading import EventTopic, Published, StateTopic
from booking_outbox._tracing import trace_published
from booking_outbox._worker import crash_point

log = logging.getLogger("booking_outbox.relay")
WINDOW = 5_000
SMALLEST_WINDOW = 64
MOST_PARKED = 50_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Lane:
    """The state of one topic within a leader's term."""

    def __init__(self, published: Published, physical: str, metrics: RelayMetrics, moved: Callable[[], object]) -> None:
        self.published = published
        self.name = published.topic.name
        self.physical = physical
        self.states = published.states if isinstance(published, EventTopic) else None
        self.window = WINDOW
        self.failed: dict[int, BaseException] = {}
        self._is_state = isinstance(published, StateTopic)
        self._metrics = metrics
        self._moved = moved
        self._partitions = published.topic.partitions
        self._claimed: set[bytes] = set()
        self._fetched: dict[int, list[Outgoing]] = {}
        self._queues: dict[int, deque[Packed]] = {}
        self._flights: dict[int, asyncio.Task[None]] = {}
        self._acknowledged: list[bytes] = []
        self._in_doubt: dict[bytes, bytes] = {}
        self._paused: dict[int, tuple[float, float]] = {}
        self._parked: dict[int, list[bytes]] = {}

    @property
    def room(self) -> int:
        """How many marks may be read now: at most two windows in hand, for bounded memory."""
        parked = sum(map(len, self._parked.values()))
        if parked >= MOST_PARKED or len(self._claimed) - parked >= 2 * self.window:
            return 0
        return self.window

    @property
    def in_hand(self) -> int:
        """Marks read and not settled."""
        return len(self._claimed)

    @property
    def flights(self) -> list[asyncio.Task[None]]:
        """The sends under way."""
        return list(self._flights.values())

    def skip(self) -> Sequence[bytes]:
        """Marks that the next reading leaves out."""
        return list(self._claimed)

    def take(self, records: Sequence[Outgoing]) -> None:
        """What a reading gave. Called at its end, before anything else happens: a partition that was paused when the
        reading began must stay out of it as a whole, or later versions would overtake the ones held back."""
        partitions, fetched = self._partitions, self._fetched
        self._claimed.update(_marks(records))
        for record in records:
            partition = partition_of(record.key, partitions)
            if partition in self._paused:
                self._parked.setdefault(partition, []).extend((record.mark, *record.more))
            elif partition in fetched:
                fetched[partition].append(record)
            else:
                fetched[partition] = [record]

    async def dispatch(self, publisher: Publisher, check: Callable[[], None]) -> None:
        """Pack what was taken and send it, a partition at a time."""
        for partition in list(self._fetched):
            records = self._fetched.pop(partition)
            self._queues.setdefault(partition, deque()).extend(publisher.pack(records))
            if partition not in self._flights and partition not in self.failed:
                flight = asyncio.create_task(
                    self._fly(partition, publisher, check), name=f"relay {self.name}/{partition}"
                )
                self._flights[partition] = flight
            # Packing is pure computation: let the flights, and the API beside us, have their turn.
            await asyncio.sleep(0)

    async def _fly(self, partition: int, publisher: Publisher, check: Callable[[], None]) -> None:
        """Send what is queued. Whatever ends it before the queue is empty marks the partition as failed: its marks are
        in hand, and nobody else would take them again."""
        queue = self._queues[partition]
        try:
            while queue:
                batch, records = queue[0]
                check()
                if self._is_state:
                    self._in_doubt.update((record.mark, record.key) for record in records)
                crash_point("relay.before_send")
                began_at = time.time_ns()
                await publisher.send(self.physical, partition, batch)
                crash_point("relay.after_ack")
                queue.popleft()
                self._landed(records)
                trace_published(self.name, partition, records, began_at)
        except Unpublished as error:
            self._metrics.failed_batches[self.name] += 1
            self.failed[partition] = error
        except LeadLost as error:  # the loop's own check ends the term
            self.failed[partition] = error
        except asyncio.CancelledError as error:  # meant for us, or for a future of a client that was closed
            self.failed[partition] = error
            raise
        except Exception as error:  # whatever it is, the marks must be taken again
            log.exception("relay: %s/%s: a batch could not be sent", self.name, partition)
            self._metrics.failed_batches[self.name] += 1
            self.failed[partition] = error
        finally:
            self._flights.pop(partition, None)
            self._moved()

    def _landed(self, records: Sequence[Outgoing]) -> None:
        self._acknowledged += _marks(records)
        self._metrics.published[self.name] += len(records)
        if not self._is_state:  # of a state's record nobody knows since when it waits
            took = self._metrics.took.setdefault(self.name, Times())
            took.observe(max(0.0, time.time() - records[0].at / 1000))
        self._moved()

    def acknowledged(self) -> list[bytes]:
        """The marks to delete now."""
        marks, self._acknowledged = self._acknowledged, []
        return marks

    def settled(self, marks: Sequence[bytes]) -> None:
        """These were deleted."""
        self._claimed.difference_update(marks)
        if self._is_state:
            for mark in marks:
                self._in_doubt.pop(mark, None)
        if not self._paused:
            self.window = min(WINDOW, self.window * 2)

    def unpark(self, publisher: Publisher) -> None:
        """End the pauses that are over: their marks are read again, lowest first. Not during a reading."""
        now = time.monotonic()
        for partition, (until, _) in list(self._paused.items()):
            if until <= now and partition in self._parked:
                self._claimed.difference_update(self._parked.pop(partition))
            if until <= now:
                del self._paused[partition]
        if not self._claimed:
            # More partitions (F52) count from a moment when nothing is in hand: a key's new partition must not
            # overtake its old one.
            self._partitions = publisher.known_partitions(self.physical) or self._partitions

    def abandon(self) -> list[bytes]:
        """Forget everything in hand after a failure; gives the keys of state rows whose sending is in doubt.

        Acknowledged marks that aren't deleted yet are kept for deletion.
        """
        now = time.monotonic()
        for partition in self.failed:
            _, pause = self._paused.get(partition, (0.0, 0.0))
            pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * pause))
            self._paused[partition] = (now + pause, pause)
        if self.failed:
            self.window = max(SMALLEST_WINDOW, self.window // 4)
        keys = sorted(set(self._in_doubt.values()))
        self.failed.clear()
        self._fetched.clear()
        self._queues.clear()
        self._parked.clear()
        self._in_doubt.clear()
        self._claimed = set(self._acknowledged)
        return keys


def _marks(records: Sequence[Outgoing]) -> list[bytes]:
    """All marks that these records settle."""
    marks = [record.mark for record in records]
    for record in records:
        if record.more:
            marks += record.more
    return marks
