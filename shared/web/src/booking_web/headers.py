"""The headers of answers, as the OpenAPI document types them: each once, and which answers have it."""

from typing import Any

Json = dict[str, Any]

HEADERS: dict[str, Json] = {
    "ETag": {
        "description": "Names what is shown: for `If-Match` of a change, `If-None-Match` of the next read.",
        "required": True,
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]*"$', "examples": ['"3"', '"3.1f2e3d4c"']},
    },
    "Consistency-Token": {
        "description": "Names this version to another service, which waits until it has it.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
    "Location": {
        "description": "The address of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 0}},
    "RateLimit": {
        "description": "Calls left now (`r`) and seconds until all are (`t`); left out where there is no limit.",
        "schema": {"type": "string", "pattern": '^"person";r=[0-9]+;t=[0-9]+$', "examples": ['"person";r=1199;t=1']},
    },
    "RateLimit-Policy": {
        "description": "Calls (`q`) in a window of `w` seconds, of one person; left out where there is no limit.",
        "schema": {"type": "string", "pattern": '^"person";q=[0-9]+;w=60$', "examples": ['"person";q=1200;w=60']},
    },
    "Idempotency-Replayed": {
        "description": "There where the same key was answered before: this is the first answer again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "X-Request-Id": {
        "description": "This request's id: the caller's, or made.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
    },
    "Trace-Id": {
        "description": "The id that all hops share.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "WWW-Authenticate": {
        "description": "How to prove who calls.",
        "required": True,
        "schema": {"type": "string", "enum": ["Bearer"]},
    },
    "Accept-Encoding": {
        "description": "There where the body was coded: `identity` is taken.",
        "schema": {"type": "string", "enum": ["identity"]},
    },
}
"""All that the code sets beside those for browsers and proxies alone; docs/api.md says what they mean."""

VERSIONED: Json = {"headers": {"ETag": {}, "Consistency-Token": {}}}
"""For `responses={200: VERSIONED}` of an answer that is stamped, but shows no `version` of its own."""


def with_headers(document: Json) -> None:
    """Gives every answer its headers, each by reference."""
    components = document["components"]
    components["headers"] = HEADERS
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            for status, response in operation["responses"].items():
                names = ["X-Request-Id", "Trace-Id", *response.get("headers", {})]
                names += _of_status(status, operation)
                if status.startswith("2"):
                    names += _of_success(method, status, response, operation, components["schemas"])
                own = {name: described for name, described in response.get("headers", {}).items() if described}
                response["headers"] = {
                    name: own.get(name, {"$ref": f"#/components/headers/{name}"}) for name in sorted(set(names))
                }


def _of_status(status: str, operation: Json) -> list[str]:
    limited = ["RateLimit", "RateLimit-Policy"] if operation.get("security") and status != "401" else []
    match status:
        case "401" if operation.get("security"):
            return ["WWW-Authenticate"]
        case "415":
            return [*limited, "Accept-Encoding"]
        case "429" | "503":
            return [*limited, "Retry-After"]
        case _:
            return limited


def _of_success(method: str, status: str, response: Json, operation: Json, schemas: Json) -> list[str]:
    names: list[str] = []
    if _shows_version(response, schemas):
        names += ["ETag", "Consistency-Token"]
    if method == "post" and status == "201":
        names.append("Location")
    if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", [])):
        names.append("Idempotency-Replayed")
    return names


def _shows_version(response: Json, schemas: Json) -> bool:
    """Of one object with a version; a held record's may be null: it is its record's, not its own."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    shown = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    return shown.get("properties", {}).get("version", {}).get("type") == "integer"
