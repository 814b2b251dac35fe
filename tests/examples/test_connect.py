"""The analytics example's sink for Kafka Connect takes what a data team may have, and no more, as the contract says."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from tests.e2e.system import ROOT

from booking_contracts.topics import TOPICS

CONFIG = json.loads((ROOT / "examples/analytics/warehouse/connect.json").read_text("utf-8"))["config"]
LANDED = [topic for topic in TOPICS if topic.analytics]
NEVER = {"access", "contact"}
"""Of a field's `x-personal-data`: what opens a meeting or reaches a person."""


def private(schema: dict[str, Any]) -> set[str]:
    """The fields at the top of a schema that are never to be had, or hold such a one somewhere below them."""

    def below(part: dict[str, Any]) -> Iterator[str | None]:
        part = schema.get("$defs", {}).get(part.get("$ref", "").rpartition("/")[2], part) | part
        yield part.get("x-personal-data")
        items = [part["items"]] if "items" in part else []
        for one in (*part.get("properties", {}).values(), *part.get("anyOf", ()), *items):
            yield from below(one)

    return {name for name, field in schema["properties"].items() if NEVER & set(below(field))}


def schema_of(event: Any) -> dict[str, Any]:
    return json.loads((files("booking_contracts") / "schemas" / f"{event.TYPE}.v{event.TYPE_VERSION}.json").read_text())


EVENTS = [event for topic in LANDED for event in topic.events]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_private_fields__are_left_out(event: Any):
    assert private(schema_of(event)) <= _excluded()


def test_left_out__is_nothing_else():
    """A field goes for what it is or holds: `previous` of a move holds the link that the session had."""
    assert set().union(*(private(schema_of(event)) for event in EVENTS)) == _excluded() == {"meeting_link", "previous"}


def test_topics__are_those_of_a_data_team():
    matched = {topic.name for topic in TOPICS if re.fullmatch(CONFIG["topics.regex"], topic.name)}
    assert matched == {topic.name for topic in LANDED}


def _excluded() -> set[str]:
    return set(CONFIG[f"transforms.{_step('ReplaceField$Value')}.exclude"].split(","))


def _step(kind: str) -> str:
    """The one of the steps that is of this kind, and is run."""
    (name,) = [one for one in CONFIG["transforms"].split(",") if CONFIG[f"transforms.{one}.type"].endswith(kind)]
    return name
