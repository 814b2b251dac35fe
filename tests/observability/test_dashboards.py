"""Grafana's dashboards are those that the generator makes, and ask for what our services expose."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.observability.dashboards import GRAFANA, generate
from tests.observability.promql import known, mistakes

from booking_local.packages import UnavailableError

BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(GRAFANA.glob("dashboards/*.json"))}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asked(query: str) -> str:
    """A query as Prometheus gets it, once Grafana has put its variables in."""
    return query.replace("$__rate_interval", "5m").replace("$job", "checkout")


def test_boards__are_the_four():
    assert BOARDS.keys() == {"service", "streams", "messages", "money"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_panel__asks_for_series_and_labels_that_are_exposed(name: str):
    for panel in panels(BOARDS[name]):
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            query = asked(target["expr"])
            assert "$" not in query, panel["title"]
            assert mistakes(query, known()) == [], panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_panel__says_what_it_shows_and_names_its_lines_by_labels_that_are_there(name: str):
    for panel in panels(BOARDS[name]):
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            series = re.findall(r"\b(?:booking|checkout|consultation|notifier|up)[\w:]*", target["expr"])
            labels = set().union(*(known().get(one, frozenset()) for one in series))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, target["legendFormat"]


def test_committed__is_what_the_generator_makes(tmp_path: Path):
    try:
        generate(tmp_path)
    except UnavailableError as why:
        pytest.skip(str(why))
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.json")}
    assert made == {path.name: path.read_text("utf-8") for path in GRAFANA.glob("dashboards/*.json")}, "make generate"
