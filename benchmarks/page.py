"""docs/benchmarks.md: what people wrote stays, the tables between the marks are made anew."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.capacity.drawing import stacked
from benchmarks.harness import Report

_ROWS = 10
"""More bars than these say less than the table."""
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def rewrite(reports: Mapping[str, Sequence[Report]], machine: Mapping[str, str], page: Path = PAGE) -> None:
    """Put these tables in; those of benchmarks that did not run stay. Raises ValueError where a mark is missing."""
    text = page.read_text()
    for name, some in reports.items():
        how = f"Measured in {some[0].rounds} rounds on {_sentence(machine)}."
        tables = [part for number, report in enumerate(some, 1) for part in _shown(name, number, report, page)]
        text = between(text, name, "\n\n".join([how, *tables]))
    page.write_text(text)


def _shown(name: str, number: int, report: Report, page: Path) -> list[str]:
    """Its tables, and where it tells of processor time a picture of it beside the page."""
    if not 0 < len(report.costs) <= _ROWS:
        return [report.markdown()]
    rows = {line.name: line.parts for line in report.costs}
    file = page.parent / f"benchmarks-{name}-{number}.svg"
    of = report.costs[0].operation
    file.write_text(stacked(report.title, f"processor time of one {of}, µs, by whose it is", rows))
    return [report.markdown(), f"![{report.title}: processor time by process]({file.name})"]


def between(text: str, name: str, tables: str) -> str:
    """The page's text with these tables between that name's marks. Raises ValueError where there are none."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no place for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{tables}\n\n{found[2]}", text)


def _sentence(machine: Mapping[str, str]) -> str:
    known = dict(machine)
    place = f"{known.pop('processor')} ({known.pop('cores')} cores), {known.pop('system')}, "
    place += f"load average {known.pop('load before')} before"
    return f"{place}; " + ", ".join(f"{name} {version}" for name, version in known.items())
