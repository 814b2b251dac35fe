"""What the chassis itself may answer on a route, beside what the route declares: each code, with an example."""

import json
from collections.abc import Iterator
from typing import Any

from booking_web.etag import malformed
from booking_web.problems import (
    CONTENT_TYPE,
    Problem,
    precondition_required,
    problem_responses,
    stale_version,
    unavailable,
    unprocessable,
)

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` that was read: 304 while it holds.",
    "schema": {"type": "string", "maxLength": 2000},
}
_TAKES_BODY = frozenset({"put", "post", "patch"})  # a route may read the raw bytes, and a body can always be sent


def with_problems(operation: dict[str, Any], method: str) -> None:
    """Adds them to the operation's responses; what it declares of the same status stays."""
    responses = operation.setdefault("responses", {})
    for status in [status for status, described in responses.items() if _is_frameworks(described)]:
        del responses[status]
    for status, described in problem_responses(*_own(operation, method)).items():
        declared = responses.setdefault(str(status), described)
        examples = declared["content"][CONTENT_TYPE]["examples"]
        declared["content"][CONTENT_TYPE]["examples"] = described["content"][CONTENT_TYPE]["examples"] | examples


def with_conditional_reads(document: dict[str, Any]) -> None:
    """Adds If-None-Match and 304 to each read of one object with a version: the edge answers them (etag.py)."""
    for path in document.get("paths", {}).values():
        operation = path.get("get", {})
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        version = document["components"]["schemas"].get(name, {}).get("properties", {}).get("version", {})
        if version.get("type") == "integer":  # a held record's may be null: it is its record's, not its own
            operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            operation["responses"]["304"] = {"description": "It is still what that ETag names"}


def share_examples(document: dict[str, Any]) -> None:
    """Moves what is the same everywhere to `components/examples`, by code; operations refer to it."""
    shared = document["components"].setdefault("examples", {})
    for path in document.get("paths", {}).values():
        for operation in path.values():
            for response in operation["responses"].values():
                examples = response.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {})
                for code, example in examples.items():
                    if shared.setdefault(code, example) == example:
                        examples[code] = {"$ref": f"#/components/examples/{code}"}


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
