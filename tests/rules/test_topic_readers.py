"""Who reads a topic is data of the catalogue, and what the programs subscribe to: permissions are made of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rules.pages import ROOT

from booking_contracts import topics
from booking_contracts.topics import CONTACTS, TOPICS, Program, Topic
from booking_gateway.live.topics import _TOPICS

SERVICES: tuple[Program, ...] = ("checkout", "consultation", "notifier", "calendar-projector")
CLIENTS = {"calendar-projector/src/calendar_projector/projection/projector.py"}
"""Where a service makes a Kafka client of its own: the projector's, which asks for the ends of what it reads."""


def _calls(folder: Path) -> Iterator[tuple[Path, str, ast.Call]]:
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    yield file, name, node
                case _:
                    pass


def _subscribed(service: str) -> set[Topic]:
    """The topics named in `@router.subscriber(...)` and in an `Engine`'s list."""
    named: set[str] = set()
    for _, name, call in _calls(ROOT / "services" / service / "src"):
        match name, call.args:
            case "subscriber", args:
                named |= {arg.id for arg in args if isinstance(arg, ast.Name)}
                assert all(isinstance(arg, ast.Name) for arg in args), ast.unparse(call)
            case "Engine", [_, ast.List(elts=listed), *_]:
                named |= {
                    one.value.id for one in listed if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
                }
            case "Engine", _:
                raise AssertionError(f"which topics? {ast.unparse(call)}")
            case _:
                pass
    return {getattr(topics, name) for name in named}


@pytest.mark.parametrize("service", SERVICES)
def test_service__subscribes_to_what_the_catalogue_says(service: Program):
    assert {topic.name for topic in TOPICS if service in topic.readers} == {
        topic.name for topic in _subscribed(service)
    }


def test_gateway__hears_what_the_catalogue_says():
    assert {topic.name for topic in TOPICS if "gateway" in topic.readers} == {topic.name for topic in _TOPICS}


def test_no_service__reads_by_a_client_of_its_own():
    made = [
        file
        for file, name, _ in _calls(ROOT / "services")
        if name in {"AIOKafkaConsumer", "KafkaConsumer"} and "/src/" in str(file)
    ]
    assert {str(file.relative_to(ROOT / "services")) for file in made} <= CLIENTS


def test_contacts__are_no_data_team_s():
    assert [topic for topic in TOPICS if not topic.analytics] == [CONTACTS]
