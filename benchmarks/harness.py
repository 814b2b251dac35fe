"""One way to measure: floor, ours and others in turn, several rounds, side by side on one machine.

A figure alone says little about a program on somebody's laptop; the ratio to the floor, taken in the same round,
does. The floor is the least that any program doing the same durable work must spend.
"""

import asyncio
import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contestant:
    """``run`` does the work once and gives its rate (things per second)."""

    name: str
    run: Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Line:
    """One contestant's figures over all rounds; ``ratio`` is the median of the rounds' ratios to the floor."""

    name: str
    median: float
    lowest: float
    highest: float
    ratio: float
    goal: float | None


@dataclass(frozen=True)
class Report:
    """A table."""

    title: str
    unit: str
    rounds: int
    lines: list[Line]

    def markdown(self) -> str:
        """The table as the documentation shows it."""
        columns = f"| | median {self.unit} | lowest to highest | x floor | goal |"
        head = f"### {self.title}\n\n{columns}\n| --- | ---: | ---: | ---: | ---: |\n"
        return head + "\n".join(
            f"| {line.name} | {line.median:,.0f} | {line.lowest:,.0f} to {line.highest:,.0f} | {line.ratio:.2f} | "
            f"{'' if line.goal is None else format(line.goal, '.2f')} |"
            for line in self.lines
        )


async def compare(
    title: str,
    floor: Contestant,
    others: Sequence[Contestant],
    *,
    unit: str,
    rounds: int = 5,
    goal: float | None = None,
) -> Report:
    """Run floor and others in turn, ``rounds`` times after one that doesn't count, and print the table."""
    contestants = [floor, *others]
    rates: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for round_ in range(rounds + 1):
        for contestant in contestants:
            rate = await contestant.run()
            print(f"  {title}, round {round_}: {contestant.name} {rate:,.0f} {unit}", file=sys.stderr, flush=True)
            if round_:
                rates[contestant.name].append(rate)
    lines = [_line(name, rs, rates[floor.name], None if name == floor.name else goal) for name, rs in rates.items()]
    report = Report(title, unit, rounds, lines)
    print(report.markdown(), end="\n\n", flush=True)
    return report


def _line(name: str, rates: list[float], floor: list[float], goal: float | None) -> Line:
    ratio = statistics.median(rate / least for rate, least in zip(rates, floor, strict=True))
    return Line(name, statistics.median(rates), min(rates), max(rates), ratio, goal)


def run(work: Coroutine[Any, Any, Report]) -> Report:
    """Run as the services run: their event loop where it is installed, their garbage collector's settings."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def save(path: Path, reports: Sequence[Report]) -> None:
    """The reports with the machine's description, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"machine": machine(), "reports": [asdict(report) for report in reports]}, indent=2) + "\n"
    )
