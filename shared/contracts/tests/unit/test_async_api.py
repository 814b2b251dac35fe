"""The AsyncAPI document is complete: topics with partitions and retention, messages with key, headers, an example."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from booking_contracts.generate import PACKAGE

Json = dict[str, Any]
DOCUMENT: Json = json.loads((PACKAGE / "asyncapi.json").read_text("utf-8"))
HEADERS = {"content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_metadata"}


def _resolved(document: Json, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references_that_lead_nowhere(document: Json) -> Iterator[str]:
    def below(node: object) -> Iterator[str]:
        match node:
            case {"$ref": str(reference)}:
                yield reference
            case dict() | list():
                for child in node.values() if isinstance(node, dict) else node:
                    yield from below(child)
            case _:
                pass

    for reference in below(document):
        try:
            _resolved(document, reference)
        except KeyError:
            yield reference


def topics_without_figures(document: Json) -> Iterator[str]:
    """Partitions, clean-up, and for how long: for ever, but for what is compacted."""
    for name, channel in document["channels"].items():
        kafka = channel.get("bindings", {}).get("kafka", {})
        configuration = kafka.get("topicConfiguration", {})
        if not channel.get("address") or not channel.get("description") or not channel.get("messages"):
            yield f"{name}: no address, description or message"
        if not kafka.get("partitions") or kafka.get("topic") != channel.get("address"):
            yield f"{name}: no partitions, or of another topic"
        if not configuration.get("cleanup.policy"):
            yield f"{name}: no clean-up policy"
        if "retention.ms" not in configuration and configuration.get("cleanup.policy") != ["compact"]:
            yield f"{name}: no retention"
        if not any(one["channel"]["$ref"] == f"#/channels/{name}" for one in document["operations"].values()):
            yield f"{name}: nobody sends"


def messages_without_key_or_headers(document: Json) -> Iterator[str]:
    for name, message in document["components"]["messages"].items():
        key = message.get("bindings", {}).get("kafka", {}).get("key", {})
        if not key.get("type") or not key.get("description"):
            yield f"{name}: no key"
        headers = message.get("headers", {})
        if not headers.get("properties", {}).keys() >= HEADERS or not headers.get("required"):
            yield f"{name}: not all headers"
        version = message["name"].rpartition(".v")[2]
        if not message.get("x-dataschema", "").endswith(f"/{message['title']}.v{version}.json"):
            yield f"{name}: no schema is named"
        if not message.get("summary") or not message.get("contentType"):
            yield f"{name}: not described"


def messages_without_a_valid_example(document: Json) -> Iterator[str]:
    for name, message in document["components"]["messages"].items():
        if not message.get("examples"):
            yield f"{name}: no example"
        for example in message.get("examples", []):
            for part in ("payload", "headers"):
                schema = {**message[part], "components": document["components"]}  # where its references lead
                validator = jsonschema.Draft202012Validator(schema)
                yield from (f"{name}: {error.message}" for error in validator.iter_errors(example.get(part)))


def _channel(document: Json) -> Json:
    return next(iter(document["channels"].values()))


def _message(document: Json) -> Json:
    return next(iter(document["components"]["messages"].values()))


RULES = [
    references_that_lead_nowhere,
    topics_without_figures,
    messages_without_key_or_headers,
    messages_without_a_valid_example,
]
HOLES: list[tuple[Callable[[Json], Iterator[str]], Callable[[Json], Any]]] = [
    (references_that_lead_nowhere, lambda d: d["components"]["schemas"].popitem()),
    (topics_without_figures, lambda d: _channel(d).pop("description")),
    (topics_without_figures, lambda d: _channel(d)["bindings"]["kafka"].pop("partitions")),
    (topics_without_figures, lambda d: _channel(d)["bindings"]["kafka"].pop("topicConfiguration")),
    (topics_without_figures, lambda d: d["operations"].popitem()),
    (messages_without_key_or_headers, lambda d: _message(d)["bindings"]["kafka"].pop("key")),
    (messages_without_key_or_headers, lambda d: _message(d)["headers"]["properties"].pop("ce_id")),
    (messages_without_key_or_headers, lambda d: _message(d).pop("summary")),
    (messages_without_key_or_headers, lambda d: _message(d).update({"x-dataschema": "https://else.where/X.v1.json"})),
    (messages_without_a_valid_example, lambda d: _message(d).pop("examples")),
    (messages_without_a_valid_example, lambda d: _message(d)["examples"][0].update(payload={})),
    (messages_without_a_valid_example, lambda d: _message(d)["examples"][0]["headers"].pop("ce_id")),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_document__has_no(rule: Callable[[Json], Iterator[str]]):
    assert list(rule(DOCUMENT)) == []


@pytest.mark.parametrize(("rule", "hole"), HOLES)
def test_hole__is_found(rule: Callable[[Json], Iterator[str]], hole: Callable[[Json], Any]):
    document = copy.deepcopy(DOCUMENT)
    hole(document)
    assert list(rule(document))
