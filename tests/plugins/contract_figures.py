"""What the contract's tests saw, as a table at the end of a run: per service, role and kind of data."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

CLASSES = ("2xx", "3xx", "4xx", "5xx")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line for each test that left figures (`record_property("contract", {...})`)."""
    figures = sorted(_figures(terminalreporter), key=lambda one: (one["data"] != "good", one["service"], one["role"]))
    if not figures:
        return
    terminalreporter.section("contract: cases and answers")
    for one in figures:
        answers = one["statuses"]
        by_class = Counter[str]()
        for status, count in answers.items():
            by_class[f"{status[0]}xx"] += count
        told = "  ".join(f"{name} {by_class[name]:4}" for name in CLASSES)
        each = " ".join(f"{status}:{count}" for status, count in sorted(answers.items()))
        cases = f"{one['operations']:3} operations {sum(answers.values()):5} cases"
        terminalreporter.line(f"{one['data']} {one['service']:12} {one['role']:12} {cases}  {told}  ({each})")


def _figures(terminalreporter: Any) -> Iterator[dict[str, Any]]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                for name, value in report.user_properties:
                    if name == "contract" and isinstance(value, dict):
                        yield value
