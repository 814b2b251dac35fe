"""An example of each body and each answer, put together from the examples of the schema's fields."""

from typing import Any

JsonSchema = dict[str, Any]

UNKNOWN = "..."
"""Stands for a text that no field gives an example of; a test refuses it (tests/api/test_openapi_complete.py)."""

_OF_FORMAT: dict[str, str] = {
    "uuid": "0198d2a0-1111-7000-8000-000000000001",
    "date-time": "2026-12-01T02:00:00Z",
    "date": "2026-12-01",
    "HH:MM": "09:00",
}
_OF_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1.0, "null": None}


def with_examples(document: dict[str, Any]) -> None:
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
            described["example"] = example_of(document, described["schema"])


def example_of(document: dict[str, Any], schema: JsonSchema) -> Any:
    """A schema's own example, else one of its parts; of a choice the first."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for stated in (schema.get("examples"), schema.get("enum"), [schema["const"]] if "const" in schema else None):
        if stated:
            return stated[0]
    if schema.get("anyOf"):
        return example_of(document, schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            return {name: example_of(document, field) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [example_of(document, schema["items"])] if "items" in schema else []
        case "string":
            return _OF_FORMAT.get(schema.get("format", ""), UNKNOWN)
        case kind:
            return schema.get("default", schema.get("minimum", _OF_TYPE.get(str(kind))))
