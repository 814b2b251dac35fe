"""Queues: jobs that pass from process to process, wait for a free one, for a core of its node, and for the disk.

A discrete-event simulation in one heap. Whoever waits is served in the order of coming. A step holds its process (a
service's event loop does one thing at a time) and a core, this for a slice at a time; a batch server (the write-ahead
log's flush, the relay, the projector) takes all that wait for it at once and works the longer the more that is. Time is
in seconds.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

Then = Callable[[], None]
SLICE = 0.001
"""Seconds after which the operating system lets another one have the core, if one waits."""


class Clock:
    """What happens when: `after` notes it, `run` lets it happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Then]] = []

    def after(self, seconds: float, then: Then) -> None:
        """Let it happen so many seconds from now; at the same instant in the order of noting."""
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), then))

    def run(self, until: Callable[[], bool]) -> None:
        """Until that holds, or nothing is left to happen."""
        while self._heap and not until():
            self.now, _, then = heapq.heappop(self._heap)
            then()


class Pool:
    """So many of a kind: cores of a node, copies of a process. What finds none free waits its turn."""

    def __init__(self, size: int) -> None:
        self._free, self._waiting = size, deque[Then]()

    def take(self, then: Then) -> None:
        """Call it once one is there; it is the caller's until `give`."""
        if self._free:
            self._free -= 1
            then()
        else:
            self._waiting.append(then)

    def give(self) -> None:
        """Give one back."""
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._free += 1


class Batch:
    """A server that takes all that waits at once: `fixed` seconds and `each` for every one, on a core of `cores`."""

    def __init__(self, clock: Clock, fixed: float, each: float = 0.0, cores: Pool | None = None) -> None:
        self._clock, self._fixed, self._each, self._cores = clock, fixed, each, cores
        self._waiting: list[Then] = []
        self._busy = False

    def take(self, then: Then) -> None:
        """Call it when the batch that holds it is done."""
        self._waiting.append(then)
        if not self._busy:
            self._begin()

    def _begin(self) -> None:
        self._busy = True
        if self._cores is None:
            self._work()
        else:
            self._cores.take(self._work)

    def _work(self) -> None:
        batch, self._waiting = self._waiting, []
        self._clock.after(self._fixed + self._each * len(batch), lambda: self._done(batch))

    def _done(self, batch: list[Then]) -> None:
        if self._cores is not None:
            self._cores.give()
        self._busy = False
        if self._waiting:
            self._begin()
        for then in batch:
            then()


@dataclass(frozen=True)
class Work:
    """A step: `seconds` on average on a core of `cores`, in one of `process` where that can be lacking."""

    seconds: float
    cores: Pool
    process: Pool | None = None


@dataclass(frozen=True)
class Wait:
    """A step that needs no core: the network."""

    seconds: float


Step = Work | Wait | Batch


@dataclass
class Stream:
    """Jobs of one kind: the steps of each, and how long those took that are done, up to `marks` of their steps.

    `marks` counts the steps after which a time is taken: the answer of a command, the row in the calendar.
    """

    steps: Sequence[Step]
    marks: tuple[int, ...]
    took: list[list[float]] = field(default_factory=list[list[float]])


class Simulation:
    """Streams of jobs on one clock. `spread` is the variation of a step's work: 0 none, 1 as an exponential one."""

    def __init__(self, seed: int = 1, spread: float = 0.5) -> None:
        self.clock = Clock()
        self._random, self._shape = Random(seed), 1 / spread**2 if spread else 0.0

    def open(self, stream: Stream, rate: float) -> None:
        """Jobs that come by themselves, so many a second, independently of each other (Poisson)."""

        def come() -> None:
            self.clock.after(self._random.expovariate(rate), come)
            self._start(stream)

        self.clock.after(self._random.expovariate(rate), come)

    def closed(self, stream: Stream, clients: int) -> None:
        """So many clients, each of which begins its next job when the last is done."""
        for _ in range(clients):
            self._start(stream, again=True)

    def run(self, stream: Stream, jobs: int) -> None:
        """Until so many jobs of that stream are done."""
        self.clock.run(lambda: len(stream.took) >= jobs)

    def _start(self, stream: Stream, *, again: bool = False) -> None:
        began, times = self.clock.now, list[float]()

        def go_on(number: int) -> None:
            if number in stream.marks:
                times.append(self.clock.now - began)
            if number == len(stream.steps):
                stream.took.append(times)
                if again:
                    self._start(stream, again=True)
                return
            self._do(stream.steps[number], lambda: go_on(number + 1))

        go_on(0)

    def _do(self, step: Step, then: Then) -> None:
        match step:
            case Batch():
                step.take(then)
            case Wait():
                self.clock.after(step.seconds, then)
            case Work(seconds, cores, process):
                self._work(self._drawn(seconds), cores, process, then)

    def _work(self, seconds: float, cores: Pool, process: Pool | None, then: Then) -> None:
        left = seconds

        def run() -> None:
            nonlocal left
            part = min(left, SLICE)
            left -= part
            self.clock.after(part, go_on if left > 0 else done)

        def go_on() -> None:
            cores.give()
            cores.take(run)

        def done() -> None:
            cores.give()
            if process is not None:
                process.give()
            then()

        if process is None:
            cores.take(run)
        else:
            process.take(lambda: cores.take(run))

    def _drawn(self, mean: float) -> float:
        return mean if not self._shape or not mean else self._random.gammavariate(self._shape, mean / self._shape)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of them is below, of those that remain when a tenth is left out as the beginning."""
    found = list(values)
    ordered = sorted(found[len(found) // 10 :])
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
