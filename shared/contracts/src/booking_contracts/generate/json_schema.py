"""One JSON Schema (2020-12) per event type and major version, as its writer keeps it: closed, and never null."""

from typing import Any, cast

from booking_contracts.event import Event
from booking_contracts.registry import schema_uri

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schema_of(event: type[Event]) -> Schema:
    """The closed schema: what a writer of this release may write. A reader takes the same one, opened (`opened`)."""
    raw = event.model_json_schema()
    definitions = cast("dict[str, Schema]", raw.pop("$defs", {}))
    body = _plain(raw, definitions)
    body["description"] = " ".join((event.__doc__ or "").split())
    return {
        "$schema": DIALECT,
        "$id": schema_uri(event.TYPE, event.TYPE_VERSION),
        "title": event.TYPE,
        **body,
    }


def opened(schema: Any) -> Any:
    """The schema as a reader applies it: fields that it does not know are allowed, at every depth."""
    match schema:
        case dict():
            items = cast("Schema", schema).items()
            return {name: opened(value) for name, value in items if name != "additionalProperties"}
        case list():
            return [opened(item) for item in cast("list[Any]", schema)]
        case _:
            return schema


def _plain(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Without references, pydantic's titles and defaults, and without the null that a writer leaves out."""
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        (only,) = [option for option in node["anyOf"] if option != {"type": "null"}]
        return _plain(only, definitions)
    plain = {name: value for name, value in node.items() if name not in {"title", "default", "description"}}
    if plain.get("type") == "object":
        properties = cast("dict[str, Schema]", plain.get("properties", {}))
        plain["properties"] = {name: _plain(value, definitions) for name, value in properties.items()}
        plain["additionalProperties"] = False
    if "items" in plain:
        plain["items"] = _plain(plain["items"], definitions)
    return plain
