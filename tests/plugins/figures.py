"""What tests have measured, told at the end of a run: `record_property("figures", "...")`, and the contract's table.

`record_property("contract", {...})` is one line of that table: per service, role and kind of data how many cases were
tried and what was answered.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

CLASSES = ("2xx", "3xx", "4xx", "5xx")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was recorded, also by the processes of a run in several."""
    told = [value for value in _recorded(terminalreporter, "figures") if isinstance(value, str)]
    table = [value for value in _recorded(terminalreporter, "contract") if isinstance(value, dict)]
    if told:
        terminalreporter.section("figures")
    for line in told:
        terminalreporter.line(line)
    if table:
        terminalreporter.section("contract: cases and answers")
    for row in sorted(table, key=lambda row: (row["data"] != "good", row["service"], row["role"])):
        terminalreporter.line(_line(row))


def _line(row: dict[str, Any]) -> str:
    answers: dict[str, int] = row["statuses"]
    by_class = Counter[str]()
    for status, count in answers.items():
        by_class[f"{status[0]}xx"] += count
    classes = "  ".join(f"{name} {by_class[name]:4}" for name in CLASSES)
    each = " ".join(f"{status}:{count}" for status, count in sorted(answers.items()))
    cases = f"{row['operations']:3} operations {sum(answers.values()):5} cases"
    return f"{row['data']:4} {row['service']:12} {row['role']:12} {cases}  {classes}  ({each})"


def _recorded(terminalreporter: Any, name: str) -> Iterator[object]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                yield from (value for key, value in report.user_properties if key == name)
