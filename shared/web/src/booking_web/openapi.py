"""The OpenAPI 3.1 document of a service: deterministic, complete in its errors, valid for every tool."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from booking_web.auth import RoleRequired
from booking_web.conditions import PATTERN, malformed
from booking_web.headers import with_headers
from booking_web.problem_schemas import problem_schemas
from booking_web.problems import (
    CONTENT_TYPE,
    ERROR_CODES,
    SCHEMA,
    Json,
    Problem,
    precondition_required,
    problem_responses,
    stale_version,
    unavailable,
    unprocessable,
)
from booking_web.sharing import METHODS, share, share_examples
from booking_web.strict import parts

_SCHEMAS = "#/components/schemas/"
_OBSOLETE = ("HTTPValidationError", "ValidationError")


def _servers(title: str) -> list[dict[str, Any]]:
    name = title.rsplit(maxsplit=1)[-1].lower()
    told = f"Where {name} listens: its `HTTP_HOST` and `HTTP_PORT`, or what stands before it."
    return [{"url": f"{{{name}}}", "description": told, "variables": {name: {"default": "http://127.0.0.1:8000"}}}]


def operation_id(route: APIRoute) -> str:
    """The route function's name: what generated clients call."""
    return route.name


def enumerations(
    closed: Mapping[str, Sequence[str]], growing: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """Schemas of values with a name; clients are told to expect more of those that may grow."""
    made = {name: {"title": name, "type": "string", "enum": list(values)} for name, values in closed.items()}
    told = {
        name: {"title": name, "type": "string", "enum": list(values)}
        for name, values in {**growing, "FieldErrorCode": ERROR_CODES}.items()
    }
    return made | {name: {**schema, "x-extensible-enum": True} for name, schema in told.items()}


def document(app: FastAPI, named: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The document, made once; `named` are the enumerations that it refers to by name."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
            servers=_servers(app.title),
            tags=app.openapi_tags,
        )
        _with_roles(made, app.routes)
        # Written and read: FastAPI puts the very objects of our routes in, shared between operations.
        app.openapi_schema = _completed(json.loads(json.dumps(made)), named)
    return app.openapi_schema


def printed(app: FastAPI) -> str:
    """The document as committed: keys in order, two spaces, one newline at the end."""
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _completed(made: dict[str, Any], named: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in _OBSOLETE:
        schemas.pop(name, None)
    _name_schemas(made)
    for path in made.get("paths", {}).values():
        for method, operation in path.items():
            if method in METHODS:
                _with_problems(operation, method)
                _with_descriptions(operation)
    _with_problem_schemas(made)
    _share_enumerations(made, named)
    with_headers(made)
    _with_conditional_reads(made)
    _with_required_conditions(made)
    _without_item_schemas(made)
    _with_examples(made)
    share_examples(made)
    share(made)
    return made


def _name_schemas(document: dict[str, Any]) -> None:
    """Calls each schema what its title says: the domain's noun, where the class of the code is called otherwise."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    names = {name: schema.get("title", name) for name, schema in schemas.items()}
    if len(set(names.values())) < len(names):
        raise ValueError(f"two schemas of one title: {sorted(names.values())}")
    document["components"]["schemas"] = {names[name]: schema for name, schema in sorted(schemas.items())}
    _point_to(document, {_SCHEMAS + name: _SCHEMAS + to for name, to in names.items()})


def _point_to(node: Json, renamed: dict[str, str]) -> None:
    if isinstance(node, dict):
        if isinstance(pointer := node.get("$ref"), str):
            node["$ref"] = renamed.get(pointer, pointer)
        match node.get("discriminator"):
            case {"mapping": dict(mapping)}:
                mapping.update({value: renamed.get(str(pointer), pointer) for value, pointer in mapping.items()})
            case _:
                pass
        for child in node.values():
            _point_to(child, renamed)
    elif isinstance(node, list):
        for child in node:
            _point_to(child, renamed)


def _share_enumerations(document: dict[str, Any], named: Mapping[str, dict[str, Any]]) -> None:
    """Refers to an enumeration by its name wherever just its values stand."""
    by_values = {frozenset(schema["enum"]): name for name, schema in named.items()}
    used = set(_refer(document, by_values))
    document["components"]["schemas"] |= {name: named[name] for name in used}


def _refer(node: Json, by_values: Mapping[frozenset[str], str]) -> Iterator[str]:
    if isinstance(node, dict):
        values = node.get("enum")
        name = by_values.get(frozenset(map(str, values))) if isinstance(values, list) else None
        if name is not None:
            for key in ("enum", "type", "title", "x-extensible-enum"):
                node.pop(key, None)
            node["$ref"] = _SCHEMAS + name
            yield name
        for child in node.values():
            yield from _refer(child, by_values)
    elif isinstance(node, list):
        for child in node:
            yield from _refer(child, by_values)


def _with_descriptions(operation: dict[str, Any]) -> None:
    """Of a path's id, where the route says no more."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and "description" not in parameter and parameter["name"].endswith("_id"):
            parameter["description"] = f"The {parameter['name'].removesuffix('_id').replace('_', ' ')}'s id."


def _without_item_schemas(node: Json) -> None:
    # OpenAPI 3.2's word for server-sent events, which FastAPI writes into a 3.1 document (libraries.md, Traps).
    if isinstance(node, dict):
        node.pop("itemSchema", None)
        for child in node.values():
            _without_item_schemas(child)
    elif isinstance(node, list):
        for child in node:
            _without_item_schemas(child)


def _with_roles(made: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Each operation's `security`: any of its roles, `[]` in a way in where every role may call, then other proofs; no
    way in is needed where it is proven otherwise."""
    found = (one for one in iter_route_contexts(routes) if isinstance(one.original_route, APIRoute))
    roles = {str(one.name): wanted for one in found if (wanted := _roles(one.dependant))}
    for path in made.get("paths", {}).values():
        for operation in path.values():
            if operation.setdefault("security", []) and (wanted := roles.get(operation["operationId"])):
                beside = [way for way in operation["security"] if "bearer" not in way]
                operation["security"] = [{"bearer": [role]} for role in wanted] + beside


def _roles(dependant: Dependant) -> list[str]:
    """Those that pass each of the route's checks, in the order of the first."""
    checks = [one.call for one in parts(dependant) if isinstance(one.call, RoleRequired)]
    first = checks[0].roles if checks else ()
    return [role for role in first if all(role in check.roles for check in checks)]


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` that was read: 304 while it holds.",
    "schema": {"type": "string", "maxLength": 2000},
}


def _with_required_conditions(document: dict[str, Any]) -> None:
    """Where leaving If-Match out always fails (428), the document asks for it, so that typed clients do."""
    for path in document.get("paths", {}).values():
        for operation in path.values():
            for parameter in operation.get("parameters", []) if "428" in operation["responses"] else ():
                if parameter["name"] == "If-Match":
                    parameter |= {"required": True, "schema": {"type": "string", "maxLength": 2000, "pattern": PATTERN}}


_TAKES_BODY = frozenset({"put", "post", "patch"})  # a route may read the raw bytes, and a body can always be sent


def _with_problems(operation: dict[str, Any], method: str) -> None:
    """Adds them to the operation's responses; what it declares of the same status stays."""
    responses = operation.setdefault("responses", {})
    for status in [status for status, described in responses.items() if _is_frameworks(described)]:
        del responses[status]
    for status, described in problem_responses(*_own(operation, method)).items():
        declared = responses.setdefault(str(status), described)
        examples = declared["content"][CONTENT_TYPE]["examples"]
        declared["content"][CONTENT_TYPE]["examples"] = described["content"][CONTENT_TYPE]["examples"] | examples


def _with_conditional_reads(document: dict[str, Any]) -> None:
    """Adds If-None-Match and 304 to each read whose answer has an ETag: the edge answers them (conditions.py)."""
    for path in document.get("paths", {}).values():
        operation = path.get("get", {})
        headers = operation.get("responses", {}).get("200", {}).get("headers", {})
        if "ETag" in headers and "304" not in operation["responses"]:
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
            kept = {name: headers[name] for name in headers if name != "Location"}
            operation["responses"]["304"] = {"description": "It is still what that ETag names", "headers": kept}


def _with_problem_schemas(document: dict[str, Any]) -> None:
    """A schema for each code, and each answer the choice of its own, told apart by `code`."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    for path in document.get("paths", {}).values():
        for operation in path.values():
            for response in operation["responses"].values():
                if (content := response.get("content", {}).get(CONTENT_TYPE)) is None:
                    continue
                content["examples"] = dict(sorted(content["examples"].items()))
                named = {code: example.pop(SCHEMA) for code, example in content["examples"].items()}
                for name in named.values():
                    schemas |= problem_schemas(name)
                content["schema"] = {
                    "oneOf": [{"$ref": _SCHEMAS + name} for name in named.values()],
                    "discriminator": {
                        "propertyName": "code",
                        "mapping": {code: _SCHEMAS + name for code, name in named.items()},
                    },
                    "x-extensible-enum": True,
                }


def _own(operation: dict[str, Any], method: str) -> Iterator[int | Problem]:
    yield from (400, 422, 500, 503)
    yield unavailable("database_unavailable", "The database is not available. Try again.")
    yield unprocessable("invalid_value", "A value of the request cannot be stored.")
    if operation.get("security"):
        yield from (401, 403, 429)
        yield unavailable("identity_unavailable", "The token cannot be checked right now. Try again.")
    if method in _TAKES_BODY:
        yield from (408, 413, 415)
    if "requestBody" in operation:
        yield Problem(400, "malformed_json", "The body is no JSON.")
        yield Problem(400, "number_too_large", "A number is too large.")
        yield unprocessable("invalid_text", "A text holds U+0000 or a lone surrogate.")
    for parameter in operation.get("parameters", []):
        yield from _of_parameter(parameter["name"], operation)


def _of_parameter(name: str, operation: dict[str, Any]) -> Iterator[Problem]:
    match name:
        case "cursor":
            error = {"pointer": "?cursor", "code": "invalid_cursor", "detail": "not a cursor of this list"}
            yield unprocessable("invalid_cursor", "The cursor is not one that this list gave out.", errors=[error])
        case "Idempotency-Key":
            yield unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")
            yield unprocessable("invalid_idempotency_key", "1 to 255 visible ASCII characters, sent once.")
        case "Consistency-Token":
            yield unprocessable("invalid_consistency_token", "The Consistency-Token is none of ours.")
            yield unavailable("not_yet_visible", "That version has not arrived here yet. Try again.", retry_after=1)
        case "If-Match":
            yield stale_version(4)
            yield malformed("If-Match")
            if "428" in operation.get("responses", {}):
                yield precondition_required()
        case _:
            pass


def _is_frameworks(response: dict[str, Any]) -> bool:
    return "HTTPValidationError" in json.dumps(response)


_Schema = dict[str, Any]

_UNKNOWN = "..."
"""Stands for a text that no field gives an example of; a test refuses it (tests/api/test_openapi_complete.py)."""

_OF_FORMAT: dict[str, str] = {
    "uuid": "0198d2a0-1111-7000-8000-000000000001",
    "date-time": "2026-12-01T02:00:00Z",
    "date": "2026-12-01",
    "HH:MM": "09:00",
}
_OF_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1.0, "null": None}


def _with_examples(document: dict[str, Any]) -> None:
    """Of every request body and every success that has a schema and no example yet."""
    for path in document.get("paths", {}).values():
        for operation in path.values():
            contents = [operation.get("requestBody", {}).get("content", {})]
            contents += [
                answer.get("content", {})
                for status, answer in operation.get("responses", {}).items()
                if status.startswith("2")
            ]
            for content in contents:
                _complete(document, content)


def _complete(document: dict[str, Any], content: dict[str, Any]) -> None:
    for described in content.values():
        if described.get("schema") and not described.keys() & {"example", "examples"}:
            described["example"] = _example_of(document, described["schema"])


def _example_of(document: dict[str, Any], schema: _Schema) -> Any:
    """A schema's own example, else one of its parts; of a choice the first."""
    while "$ref" in schema and not schema.get("examples"):
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for stated in (schema.get("examples"), schema.get("enum"), [schema["const"]] if "const" in schema else None):
        if stated:
            return stated[0]
    if schema.get("anyOf"):
        return _example_of(document, schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            return {name: _example_of(document, field) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [_example_of(document, schema["items"])] if "items" in schema else []
        case "string":
            return _OF_FORMAT.get(schema.get("format", ""), _UNKNOWN)
        case kind:
            return schema.get("default", schema.get("minimum", _OF_TYPE.get(str(kind))))
