"""The benchmarks themselves, at a size that measures nothing: each still runs, and says what it would be judged by."""

import importlib
from xml.etree import ElementTree as ET

import pytest
from benchmarks.__main__ import BENCHMARKS
from benchmarks.harness import Contestant, CostLine, Goal, Report, Run, compare, machine
from benchmarks.page import PAGE, rewrite
from benchmarks.system import system

from booking_proof.commands import BENCHMARKS as NAMES

servers = pytest.mark.servers


@pytest.fixture(scope="module")
def measured():
    with system() as made:
        yield made


@servers
@pytest.mark.parametrize("name", BENCHMARKS)
async def test_bench__every_benchmark_runs(measured, name):
    module = importlib.import_module(f"benchmarks.{name}")

    reports = await module.measure(measured, "tiny", 0)

    assert reports
    assert all(line.median > 0 for report in reports for line in report.lines)
    assert all(cost.parts for report in reports for cost in report.costs)
    # A tiny floor ends within one tick of the clock that a process which is gone is known by.
    assert all(any(cost.total > 0 for cost in report.costs) for report in reports if report.costs)


def test_bench__the_command_knows_every_benchmark():
    assert NAMES == BENCHMARKS


def test_bench__the_page_has_a_place_for_each(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.read_text())
    costs = [CostLine("booking <api>", "command", {"client": 10.0, "PostgreSQL": 30.0}, 40.0, None)]
    report = Report("A title of its own", 1, [], [], costs)

    rewrite({name: [report] for name in BENCHMARKS}, machine(), page)

    assert page.read_text().count("### A title of its own") == len(BENCHMARKS)
    assert page.read_text().count("(benchmarks-http-1.svg)") == 1
    picture = ET.fromstring((tmp_path / "benchmarks-http-1.svg").read_text())
    bars = [float(bar.get("width", 0)) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(bars) == 2
    assert bars[1] == pytest.approx(3 * bars[0], abs=0.2)


async def test_bench__a_ratio_is_taken_within_its_round():
    floors, ours = iter([1.0, 100.0, 200.0, 400.0]), iter([1.0, 50.0, 100.0, 100.0])

    async def floor():
        return Run({"x/s": next(floors)}, {"x": {"client": 10.0}})

    async def run():
        return Run({"x/s": next(ours)}, {"x": {"client": 5.0, "PostgreSQL": 20.0}})

    made = await compare("t", Contestant("f", floor), [Contestant("o", run, {"x/s": Goal(0.6)})], rounds=3)

    (least, line) = made.lines
    assert least.ratio is None
    assert (line.ratio, line.median, line.met) == (0.5, 100.0, False)
    assert [(cost.parts, cost.total, cost.ratio) for cost in made.costs] == [
        ({"client": 10.0}, 10.0, None),
        ({"client": 5.0, "PostgreSQL": 20.0}, 25.0, 2.5),
    ]
