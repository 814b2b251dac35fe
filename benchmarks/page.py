"""docs/benchmarks.md: what people wrote stays, the tables between the marks are made anew."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Report

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def rewrite(reports: Mapping[str, Sequence[Report]], machine: Mapping[str, str], page: Path = PAGE) -> None:
    """Put these tables in; those of benchmarks that did not run stay. Raises ValueError where a mark is missing."""
    text = page.read_text()
    for name, some in reports.items():
        how = f"Measured in {some[0].rounds} rounds on {_sentence(machine)}."
        text = _between(text, name, "\n\n".join([how, *(report.markdown() for report in some)]))
    page.write_text(text)


def _between(text: str, name: str, tables: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"docs/benchmarks.md has no place for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{tables}\n\n{found[2]}", text)


def _sentence(machine: Mapping[str, str]) -> str:
    known = dict(machine)
    place = f"{known.pop('processor')} ({known.pop('cores')} cores), {known.pop('system')}, "
    place += f"load average {known.pop('load before')} before"
    return f"{place}; " + ", ".join(f"{name} {version}" for name, version in known.items())
