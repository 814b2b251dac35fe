"""Two results of `booking bench` side by side: what a change brought, by ratio to the floor and by processor time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import CostLine, Line, Report


class NotAResultError(Exception):
    """A file is no result of `booking bench`; the message says what is wrong with it."""


@dataclass(frozen=True)
class Result:
    """What one run of `booking bench` left: the machine's description, and reports by benchmark."""

    machine: Mapping[str, str]
    reports: Mapping[str, Sequence[Report]]


def load(path: Path) -> Result:
    """Read what `--result` named; one from before processor time was measured has none. Raises NotAResultError."""
    try:
        told = json.loads(path.read_text())
        made = {name: [_report(one) for one in some] for name, some in told["benchmarks"].items()}
        return Result({str(name): str(value) for name, value in told["machine"].items()}, made)
    except OSError as refused:
        raise NotAResultError(f"{path} can't be read: {refused.strerror}") from None
    except ValueError:
        raise NotAResultError(f"{path} is no result of booking bench: it is no JSON") from None
    except (KeyError, TypeError, AttributeError) as wrong:
        raise NotAResultError(f"{path} is no result of booking bench: {wrong!r}") from None


def side_by_side(old: Result, new: Result) -> str:
    """The tables, for what both measured in the same size; and what differs between the machines."""
    return "\n\n".join([*_machines(old.machine, new.machine), *_tables(old, new)])


def _report(told: Mapping[str, Any]) -> Report:
    lines, costs = [Line(**line) for line in told["lines"]], [CostLine(**line) for line in told.get("costs", ())]
    return Report(told["title"], told["rounds"], lines, told["notes"], costs)


def _machines(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    unlike = [name for name in {**old, **new} if name != "load before" and old.get(name) != new.get(name)]
    if not unlike:
        yield "Both on the same machine, interpreter and packages."
        return
    rows = [[name, old.get(name, "not told"), new.get(name, "not told")] for name in unlike]
    yield "Not measured alike:\n\n" + _table(["", "old", "new"], rows)


def _tables(old: Result, new: Result) -> Iterator[str]:
    for name, reports in new.reports.items():
        before = {report.title: report for report in old.reports.get(name, ())}
        for report in reports:
            if report.title in before:
                yield f"### {report.title}"
                yield _figures(before[report.title].lines, report.lines)
                yield from _costs(before[report.title].costs, report.costs)
            else:
                yield f"### {report.title}\n\nThe old result has nothing of that title."


def _figures(old: Sequence[Line], new: Sequence[Line]) -> str:
    before = {(line.name, line.unit): line for line in old}
    head = ["", "unit", "old", "new", "new / old", "x floor, old", "x floor, new", "new / old", "goal"]
    rows: list[list[str]] = []
    for line in new:
        was = before.get((line.name, line.unit))
        figures = _change(was and was.median, line.median)
        ratios = _change(was and was.ratio, line.ratio)
        met = "" if line.met is None else ", met" if line.met else ", missed"
        rows.append([line.name, line.unit, *figures, *ratios, line.goal + met])
    return _table(head, rows)


def _costs(old: Sequence[CostLine], new: Sequence[CostLine]) -> Iterator[str]:
    before = {(line.name, line.operation): line for line in old}
    head = ["processor time, µs", "of one", "of whom", "old", "new", "new / old", "x floor, old", "x floor, new"]
    rows: list[list[str]] = []
    for line in new:
        was = before.get((line.name, line.operation))
        for part, value in line.parts.items():
            rows.append([line.name, line.operation, part, *_change(was and was.parts.get(part), value), "", ""])
        ratios = [_text(was and was.ratio), _text(line.ratio)]
        rows.append([line.name, line.operation, "all", *_change(was and was.total, line.total), *ratios])
    if rows:
        yield _table(head, rows)


def _change(old: float | None, new: float | None) -> list[str]:
    return [_text(old), _text(new), _text(new / old if old and new is not None else None)]


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
