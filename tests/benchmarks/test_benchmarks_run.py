"""The benchmarks themselves, at a size that measures nothing: each still runs, and says what it would be judged by."""

import importlib

import pytest
from benchmarks.__main__ import BENCHMARKS
from benchmarks.harness import Contestant, Goal, Report, compare, machine
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


def test_bench__the_command_knows_every_benchmark():
    assert NAMES == BENCHMARKS


def test_bench__the_page_has_a_place_for_each(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.read_text())
    report = Report("A title of its own", 1, [])

    rewrite({name: [report] for name in BENCHMARKS}, machine(), page)

    assert page.read_text().count("A title of its own") == len(BENCHMARKS)


async def test_bench__a_ratio_is_taken_within_its_round():
    floors, ours = iter([1.0, 100.0, 200.0, 400.0]), iter([1.0, 50.0, 100.0, 100.0])

    async def floor():
        return {"x/s": next(floors)}

    async def run():
        return {"x/s": next(ours)}

    made = await compare("t", Contestant("f", floor), [Contestant("o", run, {"x/s": Goal(0.6)})], rounds=3)

    (least, line) = made.lines
    assert least.ratio is None
    assert (line.ratio, line.median, line.met) == (0.5, 100.0, False)
