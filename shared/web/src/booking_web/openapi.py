"""The OpenAPI 3.1 document of a service: deterministic, complete in its errors, valid for every tool."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from booking_web.field_errors import CODES
from booking_web.openapi_examples import with_examples
from booking_web.openapi_problems import share_examples, with_conditional_reads, with_problems
from booking_web.openapi_roles import with_roles

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_OBSOLETE = ("HTTPValidationError", "ValidationError")

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457, with a stable `code`; some codes carry more members.",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON pointer (RFC 6901) into the body; `?name`, `path:name`, `header:name`.",
                    },
                    "code": {"type": "string", "enum": list(CODES), "x-extensible-enum": True},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}


def operation_id(route: APIRoute) -> str:
    """The route function's name: what generated clients call."""
    return route.name


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        with_roles(made, app.routes)
        app.openapi_schema = _completed(made)
    return app.openapi_schema


def printed(app: FastAPI) -> str:
    """The document as committed: keys in order, two spaces, one newline at the end."""
    return json.dumps(document(app), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in _OBSOLETE:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for path in made.get("paths", {}).values():
        for method, operation in path.items():
            if method in _METHODS:
                with_problems(operation, method)
                _with_descriptions(operation)
    with_conditional_reads(made)
    _without_item_schemas(made)
    with_examples(made)
    share_examples(made)
    return made


def _with_descriptions(operation: dict[str, Any]) -> None:
    """Of a path's id, where the route says no more."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and "description" not in parameter and parameter["name"].endswith("_id"):
            parameter["description"] = f"The {parameter['name'].removesuffix('_id').replace('_', ' ')}'s id."


def _without_item_schemas(node: Any) -> None:
    # OpenAPI 3.2's word for server-sent events, which FastAPI writes into a 3.1 document (libraries.md, Traps).
    if isinstance(node, dict):
        node.pop("itemSchema", None)  # pyright: ignore[reportUnknownMemberType]
        for child in node.values():  # pyright: ignore[reportUnknownVariableType]
            _without_item_schemas(child)
    elif isinstance(node, list):
        for child in node:  # pyright: ignore[reportUnknownVariableType]
            _without_item_schemas(child)
