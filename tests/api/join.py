"""Joins the services' documents: `docs/openapi.json` for gateways, `docs/openapi-operators.json` for who runs it.

    .venv/bin/python -m tests.api.join

Paths, tags and servers stay what each service says; a component that two services define differently gets the service's
name before its own. What several services answer alike (held records) stands once, with the servers of them all; what
operations share is shared anew.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.api.contract.documents import NAMES, SERVICES, Json, committed_file, operations, read, resolved, spelled_out

from booking_web.sharing import share

VERSION = "2.0.0"
"""Of both joined documents. A break of any service's promise raises the major number here too."""
OPERATORS = frozenset({"erasures", "held records", "projections", "payments", "whatsapp"})
"""The tags of what no gateway calls: who runs the system does, or a provider with its own proof."""
_POINTER = "#/components/"
_DOCS = SERVICES.parent / "docs"
_ABOUT = {
    "openapi": (
        "Booking",
        "What gateways call, of all services: checkout, consultation, notifier, calendar.",
    ),
    "openapi-operators": (
        "Booking: operators",
        "What operators and providers call, of all services: held records, projections, erasures, provider callbacks.",
    ),
}
JOINED = tuple(_ABOUT)


def joined_file(name: str) -> Path:
    """Where `make generate` puts it."""
    return _DOCS / f"{name}.json"


def joined(documents: Mapping[str, Json], name: str) -> Json:
    """One of the JOINED, of the documents by service. Raises ValueError where two services contradict each other."""
    title, description = _ABOUT[name]
    whole: Json = {
        "openapi": "3.1.0",
        "info": {"title": title, "description": description, "version": VERSION},
        "paths": {},
        "components": {},
    }
    documents = {service: spelled_out(document) for service, document in documents.items()}
    own_names = _renamed(documents)
    for service, document in documents.items():
        ours = _without_defaults(_pointing(document, own_names[service]))
        _take_components(whole, ours, own_names[service])
        for path, item in ours["paths"].items():
            kept = _of_readers(item, operators=name == "openapi-operators")
            if kept:
                _take_path(whole, path, {**kept, "servers": _servers(ours, item)})
    _drop_unused(whole)
    _name_once(whole)
    _lift_servers(whole)
    whole.setdefault("servers", [{"url": "/", "description": "What stands before all services, if anything does."}])
    whole["tags"] = _tags(whole, documents)
    share(whole)
    return whole


def printed(document: Json) -> str:
    """As committed: keys in order, two spaces, one newline at the end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _components(document: Json) -> Iterator[tuple[str, str, Any]]:
    for kind, members in document.get("components", {}).items():
        for name, component in members.items():
            yield kind, name, component


def _renamed(documents: Mapping[str, Json]) -> dict[str, dict[str, str]]:
    """By service: the pointers to components that must be called otherwise, with what they become.

    Different are two of one name that say different things, or point to something that is different.
    """
    there: dict[str, dict[str, Any]] = {}
    for service, document in documents.items():
        for kind, name, component in _components(document):
            there.setdefault(f"{_POINTER}{kind}/{name}", {})[service] = component
    several = {pointer: found for pointer, found in there.items() if len(found) > 1}
    different = {pointer for pointer, found in several.items() if not _alike(found)}
    while more := {
        pointer
        for pointer, found in several.items()
        if pointer not in different and any(different & set(_pointers(one)) for one in found.values())
    }:
        different |= more
    renamed: dict[str, dict[str, str]] = {service: {} for service in documents}
    for pointer in different:
        for service in several[pointer]:
            renamed[service][pointer] = _called(pointer, service)
    return renamed


def _alike(found: Mapping[str, Any]) -> bool:
    one, *others = found.values()
    return all(other == one for other in others)


def _called(pointer: str, service: str) -> str:
    place, _, name = pointer.rpartition("/")
    if place == f"{_POINTER}securitySchemes":
        raise ValueError(f"{name}: services disagree about a security scheme")
    if name[:1].isupper():
        return f"{place}/{''.join(word.capitalize() for word in service.split('-'))}{name}"
    return f"{place}/{service.replace('-', '_')}_{name}"


def _pointers(node: Any) -> Iterator[str]:
    match node:
        case str() if node.startswith(_POINTER):  # of a `$ref`, or of a discriminator's mapping
            yield node
        case dict():
            for value in node.values():
                yield from _pointers(value)
        case list():
            for value in node:
                yield from _pointers(value)
        case _:
            pass


def _pointing(node: Any, renamed: Mapping[str, str]) -> Any:
    match node:
        case str():
            return renamed.get(node, node)
        case dict():
            return {key: _pointing(value, renamed) for key, value in node.items()}
        case list():
            return [_pointing(value, renamed) for value in node]
        case _:
            return node


def _without_defaults(document: Json) -> Json:
    """What a document says once for all its operations, said at each: joined, it would hold for others' too."""
    security = document.pop("security", [])  # `[]` is said, too: whether a token is wanted must not need a second look
    for _, _, operation in operations(document):
        operation.setdefault("security", security)
    return document


def _take_components(whole: Json, ours: Json, renamed: Mapping[str, str]) -> None:
    for kind, name, component in _components(ours):
        called = renamed.get(f"{_POINTER}{kind}/{name}", name).rpartition("/")[2]
        whole["components"].setdefault(kind, {})[called] = component


def _of_readers(item: Json, *, operators: bool) -> Json:
    """The path's operations that are the operators' alone, or those that are not; none: an empty item."""
    kept = {method: one for _, method, one in operations({"paths": {"": item}}) if _theirs(one) == operators}
    shared = {key: value for key, value in item.items() if key in ("parameters", "summary", "description")}
    return {**shared, **kept} if kept else {}


def _theirs(operation: Json) -> bool:
    return bool(OPERATORS & set(operation["tags"]))


def _servers(document: Json, item: Json) -> list[Json]:
    return item.get("servers") or document.get("servers") or [{"url": "/", "description": "Where the service is."}]


def _take_path(whole: Json, path: str, item: Json) -> None:
    """One that several services have is the same in each, and told once with the servers of all."""
    there = whole["paths"].setdefault(path, item)
    if there is item:
        return
    if _shown(whole, {**there, "servers": None}) != _shown(whole, {**item, "servers": None}):
        raise ValueError(f"{path}: two services answer it, differently")
    there["servers"] = [*there["servers"], *(one for one in item["servers"] if one not in there["servers"])]


def _shown(whole: Json, node: Any) -> Any:
    """With its examples in place: one that another problem of the service made differ is the same here."""
    match node:
        case {"$ref": str(pointer)} if pointer.startswith(f"{_POINTER}examples/"):
            return resolved(whole, node)
        case dict():
            return {key: _shown(whole, value) for key, value in node.items()}
        case list():
            return [_shown(whole, value) for value in node]
        case _:
            return node


def _drop_unused(whole: Json) -> None:
    """Components that only the other document's operations point to."""
    used: set[str] = set()
    waiting = list(_pointers(whole["paths"]))
    while waiting:
        pointer = waiting.pop()
        if pointer not in used:
            used.add(pointer)
            kind, name = pointer.removeprefix(_POINTER).split("/")
            waiting += _pointers(whole["components"][kind][name])
    for kind, members in whole["components"].items():
        if kind != "securitySchemes":
            whole["components"][kind] = {
                name: one for name, one in members.items() if f"{_POINTER}{kind}/{name}" in used
            }


def _name_once(whole: Json) -> None:
    seen: dict[str, str] = {}
    for path, method, operation in operations(whole):
        at, name = f"{method.upper()} {path}", operation["operationId"]
        if seen.setdefault(name, at) != at:
            raise ValueError(f"{name}: both {seen[name]} and {at}")


def _lift_servers(whole: Json) -> None:
    """Servers that every path has alike stand once, at the top."""
    all_of_them = [item["servers"] for item in whole["paths"].values()]
    if all(one == all_of_them[0] for one in all_of_them):
        whole["servers"] = all_of_them[0]
        for item in whole["paths"].values():
            del item["servers"]


def _tags(whole: Json, documents: Mapping[str, Json]) -> list[Json]:
    """Those that are used, with what the services tell of them."""
    told = {tag["name"]: tag for document in documents.values() for tag in document.get("tags", [])}
    used = sorted({tag for _, _, operation in operations(whole) for tag in operation["tags"]})
    return [told.get(name, {"name": name}) for name in used]


def of_services(file_of: Callable[[str], Path]) -> dict[str, Json]:
    """The services' documents: the committed ones, or the published ones."""
    return {name: read(file_of(name)) for name in NAMES}


def main() -> int:
    """The command."""
    documents = of_services(committed_file)
    try:
        for name in JOINED:
            joined_file(name).write_text(printed(joined(documents, name)), "utf-8")
    except ValueError as contradiction:
        sys.stderr.write(f"{contradiction}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
