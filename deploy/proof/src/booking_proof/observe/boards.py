"""The panels of deploy/observability/grafana/dashboards: what each asks for, and how its lines are called."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VARIABLES = {"$__rate_interval": "1m", "$job": ".*"}
"""What Grafana would put in: four rounds at least, and every service."""


@dataclass(frozen=True)
class Query:
    """One expression, and the legend of its lines: `{{label}}` stands for a label's value."""

    expression: str
    legend: str

    def name(self, labels: Mapping[str, str]) -> str:
        """What the line of the series with these labels is called."""
        return re.sub(r"\{\{(\w+)\}\}", lambda met: labels.get(met[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """A picture of some lines: its title, what it says, and the unit as Grafana names it."""

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard: panels below headings, in the order in which Grafana shows them."""

    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> list[Panel]:
        """All of them."""
        return [panel for _, panels in self.rows for panel in panels]


def boards(folder: Path) -> list[Board]:
    """Each dashboard's file of a folder, by name."""
    return [_board(json.loads(file.read_text("utf-8"))) for file in sorted(folder.glob("*.json"))]


def _board(content: Mapping[str, Any]) -> Board:
    rows: list[tuple[str, list[Panel]]] = []
    for one in content["panels"]:
        if one["type"] == "row":
            rows.append((one["title"], []))
        else:
            rows[-1][1].append(_panel(one))
    return Board(content["title"], tuple((title, tuple(panels)) for title, panels in rows))


def _panel(content: Mapping[str, Any]) -> Panel:
    queries = tuple(Query(_filled(one["expr"]), one["legendFormat"]) for one in content["targets"])
    return Panel(content["title"], content["description"], content["fieldConfig"]["defaults"]["unit"], queries)


def _filled(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
