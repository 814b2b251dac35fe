"""The model of capacity: its queues and sums against the textbook, its expectations against what was measured."""

import statistics

import pytest
from benchmarks.capacity import costs, measure, model, page
from benchmarks.capacity.costs import COMMAND, LIVE, MESSAGE, PROJECTED, READS, RELAYED, Costs, Operation, Point
from benchmarks.capacity.queues import answers, predicted
from benchmarks.capacity.simulation import Batch, Pool, Simulation, Stream, Wait, Work
from benchmarks.system import system

QUIET = 1.5
"""The load average up to which a machine's throughput says something."""
UNIT = 0.0005
"""Seconds of one step, less than a core's slice."""


def whole(stream: Stream) -> list[float]:
    return [times[0] for times in stream.took]


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_server__waits_as_the_textbook_says(load: float) -> None:
    """M/M/1: the mean time in the system is the service time / (1 - load)."""
    simulation = Simulation(spread=1.0)
    stream = Stream([Work(UNIT, Pool(1))], (1,))
    simulation.open(stream, load / UNIT)
    simulation.run(stream, 60_000)
    assert statistics.fmean(whole(stream)) == pytest.approx(UNIT / (1 - load), rel=0.1)


def test_steady_work__waits_half_as_long() -> None:
    """M/D/1: the wait is half of M/M/1's."""
    simulation = Simulation(spread=0.0)
    stream = Stream([Work(UNIT, Pool(1))], (1,))
    simulation.open(stream, 0.7 / UNIT)
    simulation.run(stream, 60_000)
    assert statistics.fmean(whole(stream)) == pytest.approx(UNIT * (1 + 0.5 * 0.7 / 0.3), rel=0.1)


def test_clients_who_wait__are_served_as_fast_as_the_narrowest_place_allows() -> None:
    simulation, cores, process = Simulation(), Pool(4), Pool(1)
    stream = Stream([Work(0.010, cores, process), Work(0.010, cores)], (2,))
    simulation.closed(stream, 8)
    simulation.run(stream, 5_000)
    assert 5_000 / simulation.clock.now == pytest.approx(100, rel=0.05)


def test_flush__takes_all_that_wait_at_once() -> None:
    """Eight clients, a flush of 10 ms and nothing else: each flush takes those that came during the one before."""
    simulation = Simulation(spread=0.0)
    stream = Stream([Batch(simulation.clock, 0.010), Wait(0.001)], (2,))
    simulation.closed(stream, 8)
    simulation.run(stream, 4_000)
    assert 4_000 / simulation.clock.now > 3 / 0.010


def round_costs() -> Costs:
    """A command of 1 ms in the service and 1 ms in PostgreSQL, and next to nothing for all else."""
    free = Operation({"service": 1.0, "PostgreSQL": 1.0, "Kafka": 1.0})
    names = (*READS, RELAYED, PROJECTED, LIVE, MESSAGE)
    operations = {**dict.fromkeys(names, free), COMMAND: Operation({"service": 1_000.0, "PostgreSQL": 1_000.0}, 10_000)}
    sizes = dict.fromkeys(costs.load().bytes, 100.0)
    return Costs({}, operations, sizes, {}, 0.001)


def test_ceiling__is_what_there_is_by_what_a_command_takes() -> None:
    given = model.assumptions()
    (one, three, _), found = given.deployments, model.ceilings
    node = found(round_costs(), given, one)
    assert node["the node's processor"] == pytest.approx(one.cores / 0.002, rel=0.02)
    apart = found(round_costs(), given, three)
    assert apart["PostgreSQL's processor"] == pytest.approx(three.postgres / 0.001, rel=0.02)
    assert apart["the write-ahead log's disk"] == pytest.approx(three.wal_megabytes * 1e6 / 10_000, rel=0.02)


@pytest.mark.parametrize("sessions", model.assumptions().zones.sizes)
def test_three_zones__carry_the_load_without_any_one_of_them(sessions: int) -> None:
    given = model.assumptions()
    one, three = (model.size(round_costs(), given, sessions, zones) for zones in (1, 3))
    busiest = 0.001 * given.life.consultation_commands / given.life.commands  # seconds of an api process a command
    assert one.apis >= one.commands * busiest / given.use.full
    assert three.apis * 2 / 3 >= three.commands * busiest / given.use.full
    assert three.apis % 3 == 0, "as many in each"
    assert one.commands == three.commands
    assert three.postgres_cores == pytest.approx(one.postgres_cores), "each server can be the primary alone"
    assert (one.servers, three.servers) == (1, 3)
    assert one.between == 0 < three.between


def test_latency__rises_with_the_load_and_more_so_near_the_ceiling() -> None:
    given = model.assumptions()
    one = given.deployments[0]
    lowest = min(model.ceilings(round_costs(), given, one).values())
    low, middle, high = (answers(round_costs(), given, one, lowest * share, 1_500).p99 for share in (0.1, 0.6, 0.95))
    assert low < middle < high
    assert high > 2 * low


def test_expected_throughput__is_the_one_core_of_a_process_where_that_binds() -> None:
    rate, p50 = predicted(round_costs(), Point(COMMAND, 8, 8.0, 0.0, 0.0))
    assert rate == pytest.approx(1_000, rel=0.05)
    assert p50 == pytest.approx(0.008, rel=0.2)


@pytest.mark.parametrize("point", costs.load().points, ids=lambda point: f"{point.operation}, {point.clients}")
def test_measured_throughput__lies_within_a_third_of_the_expected(point: Point) -> None:
    load = float(costs.load().machine["load before"])
    if load > QUIET:
        pytest.skip(f"the costs on file were measured beside other work (load {load}): waiting is not this model's")
    rate, _ = predicted(costs.load(), point)
    assert 1 / 1.34 < point.rate / rate < 1.34


def test_page__shows_what_the_costs_on_file_give() -> None:
    """`python -m benchmarks.capacity` makes it anew."""
    text = page.PAGE.read_text()
    missing = [name for name, table in page.tables(costs.load(), model.assumptions()).items() if table not in text]
    assert missing == []


@pytest.mark.servers
async def test_costs__are_measured() -> None:
    """At a size that measures nothing; without the messages, which take a whole stack."""
    with system() as on:
        found = await measure.measure(on, "tiny")

    assert {COMMAND, RELAYED, PROJECTED, LIVE, *READS} <= set(found.operations)
    assert all(size > 0 for size in found.bytes.values())
    assert all(point.rate > 0 for point in found.points)
