"""The OpenAPI documents of the services: the committed one, and the published one that callers were promised."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SERVICES = Path(__file__).resolve().parents[3] / "services"
NAMES = ("calendar-projector", "checkout", "consultation", "notifier")
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


def committed_file(name: str) -> Path:
    """What the code generates (`make generate`)."""
    return SERVICES / name / "openapi.json"


def published_file(name: str) -> Path:
    """The promise: written by `python -m tests.api.publish` alone."""
    return SERVICES / name / "openapi.published.json"


def read(file: Path) -> Json:
    """A document of the checkout."""
    return json.loads(file.read_text("utf-8"))


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Each operation with its path and method."""
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolved(document: Json, node: Any) -> Any:
    """The node, or what its `$ref` (a chain of them) points to within the document; KeyError for a dangling one."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def spelled_out(document: Json) -> Json:
    """A copy that has what operations share (parameters, answers) in each of their places."""
    whole = copy.deepcopy(document)
    for _, _, operation in operations(whole):
        if "parameters" in operation:
            operation["parameters"] = [copy.deepcopy(resolved(whole, one)) for one in operation["parameters"]]
        for status, answer in operation["responses"].items():
            operation["responses"][status] = copy.deepcopy(resolved(whole, answer))
    for kind in ("parameters", "responses"):
        whole.get("components", {}).pop(kind, None)
    return whole


def references(node: object) -> Iterator[str]:
    """Every `$ref` below a node."""
    match node:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)
        case _:
            pass
