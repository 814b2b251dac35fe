"""The joined documents: what every service says and nothing else, complete, kept as published, and good by Redocly."""

import asyncio
import copy
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.contract.breaking import breaks
from tests.api.contract.changes import BREAKING
from tests.api.contract.documents import (
    NAMES,
    Json,
    committed_file,
    operations,
    published_file,
    read,
    resolved,
    spelled_out,
)
from tests.api.contract.lint import AS_WRITTEN, RULES
from tests.api.join import JOINED, OPERATORS, joined, joined_file, of_services, printed

from booking_local.packages import UnavailableError, node_with

SERVICES = of_services(committed_file)
WHOLE = {name: joined(SERVICES, name) for name in JOINED}
HOW = "keep what callers rely on: docs/api.md, Changes of the interface"
REDOCLY = Path(__file__).parent / "redocly"


@pytest.mark.parametrize("name", JOINED)
def test_document__is_the_committed_one(name: str):
    assert joined_file(name).read_text("utf-8") == printed(WHOLE[name]), "make generate"


def test_documents__have_every_operation_of_every_service_once_as_it_says():
    told = [(name, *one) for name in JOINED for one in operations(WHOLE[name])]
    there = {(path, method): (name, operation) for name, path, method, operation in told}
    assert len(there) == len(told), "an operation in both"
    wanted = {(path, method) for document in SERVICES.values() for path, method, _ in operations(document)}
    assert there.keys() == wanted
    for document in SERVICES.values():
        for path, method, operation in operations(document):
            name, ours = there[path, method]
            said = {"security": document.get("security", []), **operation}
            assert _inlined(WHOLE[name], ours) == _inlined(document, said)
            assert name == ("openapi-operators" if OPERATORS & set(operation["tags"]) else "openapi")


def _inlined(document: Json, node: Any, within: tuple[str, ...] = ()) -> Any:
    """Without references, so that names of components don't matter; a circle ends where it closes."""
    match node:
        case {"$ref": str(pointer)} if pointer in within:
            return "a circle"
        case {"$ref": str(pointer)}:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            found = _inlined(document, resolved(document, {"$ref": pointer}), (*within, pointer))
            return [found, beside] if beside else found
        case {"mapping": dict(mapping)} if all(str(one).startswith("#/") for one in mapping.values()):
            rest = {key: value for key, value in node.items() if key != "mapping"}
            return [rest, {key: _inlined(document, {"$ref": one}, within) for key, one in mapping.items()}]
        case dict():
            return {key: _inlined(document, value, within) for key, value in node.items()}
        case list():
            return [_inlined(document, value, within) for value in node]
        case _:
            return node


def test_operators_document__has_each_of_its_tags():
    assert {tag["name"] for tag in WHOLE["openapi-operators"]["tags"]} == OPERATORS


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_document__is_complete(name: str, rule: Callable[[Json], Any]):
    assert list(rule(spelled_out(WHOLE[name]))) == []


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("rule", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_document__is_complete_with_what_it_shares(name: str, rule: Callable[[Json], Any]):
    assert list(rule(WHOLE[name])) == []


@pytest.mark.parametrize("name", JOINED)
def test_document__keeps_what_was_published(name: str):
    """What was promised is the joined document of the published ones."""
    assert breaks(joined(of_services(published_file), name), read(joined_file(name))) == [], HOW


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("change", ["path_removed", "property_of_an_answer_removed", "operation_renamed"])
def test_break_of_a_service__is_one_of_a_joined_document(service: str, change: str):
    changed = copy.deepcopy(SERVICES)
    assert BREAKING[change](changed[service])
    assert any(breaks(WHOLE[name], _joined_or_nothing(changed, name)) for name in JOINED)


def _joined_or_nothing(documents: dict[str, Json], name: str) -> Json:
    try:
        return joined(documents, name)
    except ValueError:  # of what several services answer alike, one alone was changed
        return {"paths": {}}


@pytest.mark.parametrize("name", JOINED)
def test_oasdiff__finds_no_break_either(name: str, tmp_path: Path):
    """A second opinion, where that program is installed."""
    oasdiff = shutil.which("oasdiff")
    if oasdiff is None:
        pytest.skip("oasdiff is not on PATH; the comparison of our own ran")
    promised = tmp_path / "published.json"
    promised.write_text(printed(joined(of_services(published_file), name)), "utf-8")
    command = [oasdiff, "breaking", "--fail-on", "ERR", str(promised), str(joined_file(name))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _small(thing: Json, **components: Any) -> Json:
    answer = {"description": "It.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    operation = {"operationId": "read_it", "tags": ["things"], "responses": {"200": answer}}
    return {"paths": {"/v1/it": {"get": operation}}, "components": {"schemas": {"Thing": thing}, **components}}


def _also(document: Json, path: str, name: str) -> Json:
    document["paths"][path] = document["paths"].pop("/v1/it")
    document["paths"][path]["get"]["operationId"] = name
    return document


TEXT: Json = {"type": "string"}


def test_component__that_is_the_same_everywhere_stands_once():
    documents = {"a": _small(TEXT), "b": _also(_small(TEXT), "/v1/other", "read_other")}
    assert joined(documents, "openapi")["components"]["schemas"] == {"Thing": TEXT}


def test_component__that_differs_is_called_by_its_service_also_where_it_is_only_pointed_to():
    holder = {"type": "object", "properties": {"held": {"$ref": "#/components/schemas/Held"}}}
    documents = {"a": _small(holder), "the-b": _also(_small(holder), "/v1/other", "read_other")}
    documents["a"]["components"]["schemas"]["Held"] = TEXT
    documents["the-b"]["components"]["schemas"]["Held"] = {"type": "integer"}
    whole = joined(documents, "openapi")
    assert whole["components"]["schemas"].keys() == {"AThing", "AHeld", "TheBThing", "TheBHeld"}
    for service, path in (("a", "/v1/it"), ("the-b", "/v1/other")):
        assert _inlined(whole, whole["paths"][path]["get"]) == _inlined(
            documents[service], {"security": [], **documents[service]["paths"][path]["get"]}
        )


def test_operation_of_several__may_show_an_example_by_another_name():
    """What one service shows in line, as it shows another of that name elsewhere, the next one shares."""
    a, b = _small(TEXT), _small(TEXT)
    content_a, content_b = (
        one["paths"]["/v1/it"]["get"]["responses"]["200"]["content"]["application/json"] for one in (a, b)
    )
    content_a["examples"] = {"word": {"value": "yes"}}
    content_b["examples"] = {"word": {"$ref": "#/components/examples/word"}}
    b["components"]["examples"] = {"word": {"value": "yes"}}
    assert len(joined({"a": a, "b": b}, "openapi")["paths"]) == 1
    b["components"]["examples"]["word"]["value"] = "no"
    with pytest.raises(ValueError, match="differently"):
        joined({"a": a, "b": b}, "openapi")


def test_discriminator__points_to_the_new_names():
    choice = {"oneOf": [{"$ref": "#/components/schemas/Held"}], "discriminator": {"propertyName": "code"}}
    choice["discriminator"]["mapping"] = {"x": "#/components/schemas/Held"}  # type: ignore[index]
    documents = {"a": _small(choice), "b": _also(_small(choice), "/v1/other", "read_other")}
    documents["a"]["components"]["schemas"]["Held"] = TEXT
    documents["b"]["components"]["schemas"]["Held"] = {"type": "integer"}
    schemas = joined(documents, "openapi")["components"]["schemas"]
    assert schemas["AThing"]["discriminator"]["mapping"] == {"x": "#/components/schemas/AHeld"}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (_small({"type": "integer"}), "/v1/it: two services answer it, differently"),
        (_also(_small(TEXT), "/v1/other", "read_it"), "read_it: both GET /v1/it and GET /v1/other"),
        (
            _also(_small(TEXT, securitySchemes={"bearer": {"type": "http"}}), "/v1/other", "read_other"),
            "bearer: services disagree",
        ),
    ],
)
def test_contradiction__is_named(other: Json, why: str):
    first = _small(TEXT, securitySchemes={"bearer": {"type": "apiKey"}} if "bearer" in why else {})
    with pytest.raises(ValueError, match=why):
        joined({"a": first, "b": other}, "openapi")


def test_servers__are_told_once_where_all_have_the_same_and_by_path_where_not():
    a, b = _small(TEXT), _also(_small(TEXT), "/v1/other", "read_other")
    assert joined({"a": a, "b": b}, "openapi")["servers"] == joined({"a": a}, "openapi")["servers"]
    b["servers"] = [{"url": "https://b.example"}]
    whole = joined({"a": a, "b": b}, "openapi")
    assert [one["url"] for one in whole["servers"]] == ["/"]
    assert whole["paths"]["/v1/other"]["servers"] == b["servers"]
    both = joined({"a": _small(TEXT), "b": _small(TEXT) | {"servers": b["servers"]}}, "openapi")
    assert len(both["servers"]) == 2, "what both answer is at both"


async def test_redocly__finds_no_error():
    try:
        node, folder = await node_with(REDOCLY)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    program = folder / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js"
    command = [
        node,
        program,
        "lint",
        *map(joined_file, JOINED),
        "--config",
        folder / "redocly.yaml",
        "--format=stylish",
    ]
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
