"""`booking bench --compare`: two results side by side, and what is no result is refused in words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.comparison import NotAResultError, Result, load, side_by_side
from benchmarks.harness import CostLine, Line, Report, save

CHECKOUT = Path(__file__).parents[2]
MACHINE = {"processor": "P", "python": "3.11.2, Debian's own", "load before": "0.1"}


def result(*, ratio, median, total, machine=MACHINE, title="Append: 10 commands"):
    lines = [
        Line("floor", "commands/s", 1000.0, 900.0, 1100.0, None, "", None),
        Line("booking", "commands/s", median, median, median, ratio, "≥ 0.38 x", ratio >= 0.38),
    ]
    costs = [CostLine("booking", "command", {"client": total - 100, "PostgreSQL": 100.0}, total, 2.5)]
    return Result(machine, {"append": [Report(title, 5, lines, [], costs)]})


def saved(made, path):
    save(path, made.reports, made.machine)
    return path


def test_compare__ratios_and_processor_time_stand_side_by_side(tmp_path):
    old = load(saved(result(ratio=0.2, median=200.0, total=500.0), tmp_path / "old.json"))
    new = load(saved(result(ratio=0.4, median=300.0, total=250.0), tmp_path / "new.json"))

    lines = side_by_side(old, new).splitlines()

    assert "| booking | commands/s | 200 | 300 | 1.5 | 0.2 | 0.4 | 2 | ≥ 0.38 x, met |" in lines
    assert "| booking | command | client | 400 | 150 | 0.375 |  |  |" in lines
    assert "| booking | command | PostgreSQL | 100 | 100 | 1 |  |  |" in lines
    assert "| booking | command | all | 500 | 250 | 0.5 | 2.5 | 2.5 |" in lines
    assert lines[0] == "Both on the same machine, interpreter and packages."


def test_compare__says_what_was_not_measured_alike():
    there = MACHINE | {"python": "3.11.7, pyenv's", "load before": "3.0"}
    old, new = result(ratio=0.2, median=200.0, total=500.0), result(ratio=0.4, median=300.0, total=250.0, machine=there)

    told = side_by_side(old, new)

    assert "| python | 3.11.2, Debian's own | 3.11.7, pyenv's |" in told
    assert "| processor |" not in told
    assert "load before" not in told


def test_compare__another_size_is_no_neighbour():
    old = result(ratio=0.2, median=200.0, total=500.0, title="Append: 30 commands")

    told = side_by_side(old, result(ratio=0.4, median=300.0, total=250.0))

    assert "The old result has nothing of that title." in told


def test_compare__a_result_from_before_processor_time_was_measured_is_read(tmp_path):
    path = saved(result(ratio=0.2, median=200.0, total=500.0), tmp_path / "old.json")
    told = json.loads(path.read_text())
    del told["benchmarks"]["append"][0]["costs"]
    path.write_text(json.dumps(told))

    (report,) = load(path).reports["append"]

    assert report.costs == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is no JSON"),
        ("[]", "is no result of booking bench"),
        ('{"machine": {}}', "'benchmarks'"),
        (
            '{"machine": {}, "benchmarks": {"append": [{"title": "t", "rounds": 1, "notes": [], "lines": [{}]}]}}',
            "Line",
        ),
        ('{"machine": [], "benchmarks": {}}', "items"),
    ],
)
def test_compare__what_is_no_result_is_refused(tmp_path, text, why):
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(NotAResultError, match=why):
        load(path)


def test_compare__the_command_refuses_before_it_measures(tmp_path):
    words = [sys.executable, "-m", "benchmarks", "--compare", str(tmp_path / "absent.json")]

    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path}/absent.json can't be read: No such file or directory.\n"


def test_compare__the_command_compares_two_files_without_measuring(tmp_path):
    old = saved(result(ratio=0.2, median=200.0, total=500.0), tmp_path / "old.json")
    new = saved(result(ratio=0.4, median=300.0, total=250.0), tmp_path / "new.json")
    words = [sys.executable, "-m", "benchmarks", "--no-run", "--compare", str(old), "--result", str(new)]

    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert "### Append: 10 commands" in done.stdout
