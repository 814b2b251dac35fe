"""The model's queues: what a command meets on its way to its answer and to its row in the calendar, under a load."""

from dataclasses import dataclass

from benchmarks.capacity.costs import COMMAND, IN_PROCESS, LIVE, MESSAGE, PROJECTED, READS, RELAYED, Costs, Point
from benchmarks.capacity.model import Assumptions, Deployment
from benchmarks.capacity.simulation import Batch, Pool, Simulation, Step, Stream, Wait, Work, percentile

# Where in a command's own time the two statements stand, and which part of PostgreSQL's time is the load's: shares of
# the profile in docs/benchmarks.md. They move a wait from one place to another, and hardly change its length.
BEFORE, BETWEEN, AFTER = 0.4, 0.3, 0.3
LOAD, APPEND = 0.2, 0.8
JOBS = 6_000


@dataclass(frozen=True)
class Answer:
    """Seconds from the request to the answer, and from the answer to the calendar's row."""

    p50: float
    p99: float
    row_p50: float
    row_p99: float


@dataclass(frozen=True)
class Machines:
    """Where the work is done: cores of the services and of PostgreSQL, which may be the same, and the log's disk."""

    simulation: Simulation
    services: Pool
    postgres: Pool
    flush: Batch
    network: float

    def command(self, costs: Costs, name: str, process: Pool) -> list[Step]:
        """The steps of a command up to its answer, in one of ``process``."""
        ours, theirs = costs[name].of("service"), costs[name].of("PostgreSQL")
        return [
            Work(ours * BEFORE, self.services, process),
            Work(theirs * LOAD, self.postgres),
            Work(ours * BETWEEN, self.services, process),
            Work(theirs * APPEND, self.postgres),
            self.flush,
            Work(ours * AFTER, self.services, process),
        ]

    def row(self, costs: Costs) -> list[Step]:
        """The steps of its event up to the calendar's row: relay and projector take all that waits at once."""
        live = costs[LIVE]
        relay = self._batch(live.of("relay"), costs[RELAYED].of("service"))
        projector = self._batch(live.of("service"), costs[PROJECTED].of("service"))
        theirs = Work(live.of("PostgreSQL") / 2, self.postgres)
        return [relay, theirs, Wait(self.network), projector, theirs, self.flush]

    def _batch(self, alone: float, each: float) -> Batch:
        return Batch(self.simulation.clock, max(0.0, alone - each), each, self.services)


def answers(costs: Costs, given: Assumptions, one: Deployment, rate: float, jobs: int = JOBS) -> Answer:
    """At so many commands a second of all services, with the reads and messages that go with them."""
    simulation, life = Simulation(), given.life
    services = Pool(one.cores or one.services)
    postgres = services if one.shared else Pool(one.postgres)
    flush = Batch(simulation.clock, given.flush or costs.flush)
    on = Machines(simulation, services, postgres, flush, 0.0 if one.shared else given.network)
    api, shop, notifier = Pool(one.copies), Pool(one.copies), Pool(one.copies)
    steps: list[Step] = [Wait(on.network), *on.command(costs, COMMAND, api), Wait(on.network)]
    answered = len(steps)
    steps += on.row(costs)
    sessions = Stream(steps, (answered, len(steps)))

    def beside(steps: list[Step], times: float) -> None:
        simulation.open(Stream(steps, ()), rate * times / life.commands)

    simulation.open(sessions, rate * life.consultation_commands / life.commands)
    beside(on.command(costs, COMMAND, shop), life.checkout_commands)
    for name in READS:
        beside(_work(costs, name, on, api), life.reads[name])
    beside(_work(costs, MESSAGE, on, notifier), life.messages)
    simulation.run(sessions, jobs)
    first = [times[0] for times in sessions.took]
    row = [times[1] - times[0] for times in sessions.took]
    return Answer(percentile(first, 0.5), percentile(first, 0.99), percentile(row, 0.5), percentile(row, 0.99))


def _work(costs: Costs, name: str, on: Machines, process: Pool) -> list[Step]:
    return [Work(costs[name].of("service"), on.services, process), Work(costs[name].of("PostgreSQL"), on.postgres)]


def predicted(costs: Costs, point: Point, jobs: int = 4_000) -> tuple[float, float]:
    """Throughput and median latency that the model expects where one was measured: clients, each with one command after
    the other, beside the servers on the same cores."""
    simulation, whole = Simulation(), max(1, round(point.cores))
    slower = whole / point.cores  # cores that others had a part of are slower ones
    cores = Pool(whole)
    on = Machines(simulation, cores, cores, Batch(simulation.clock, costs.flush), 0.0)
    steps = on.command(costs, point.operation, Pool(1))
    if point.operation != IN_PROCESS:
        steps = [Work(costs[point.operation].of("client"), cores, Pool(1)), *steps]
    steps = [Work(s.seconds * slower, s.cores, s.process) if isinstance(s, Work) else s for s in steps]
    stream = Stream(steps, (len(steps),))
    simulation.closed(stream, point.clients)
    simulation.run(stream, jobs)
    return jobs / simulation.clock.now, percentile((times[0] for times in stream.took), 0.5)
