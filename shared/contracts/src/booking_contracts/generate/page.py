"""The event catalogue page of the documentation, made of the classes' docstrings."""

from typing import Any, cast

from booking_contracts.event import Event
from booking_contracts.generate.json_schema import Schema, schema_of
from booking_contracts.topics import TOPICS, Topic

_HEAD = """<!-- Generated from shared/contracts by `python -m booking_contracts.generate`; do not edit. -->

# The events

This page is generated from the docstrings of the event classes. Every record is a CloudEvent in Kafka's binary mode:
the value is the data alone, the rest are headers. The schemas are in `shared/contracts/schemas/`, one real record of
each type in `shared/contracts/corpus/`, the AsyncAPI document is `shared/contracts/asyncapi.json`.

A UUID may come in capitals, as key, in a header or in the value: it is the same UUID (RFC 9562 §4). Of our own headers,
by exactly these names, none may be null, doubled or malformed, or the record is held; any other header is ignored,
whatever it holds. A `traceparent` that is malformed, or one of several different ones, is as none.
`booking.assessments.v1` is another system's: there `ce_id` is any text, `ce_actor` and `ce_correlationid` may be
missing, and `ce_sequence` is ignored.

| topic | key | kind | kept | written by |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page as Markdown."""
    return _HEAD + "".join(map(_row, TOPICS)) + "".join(map(_section, TOPICS))


def _row(topic: Topic) -> str:
    kind = "the row as it is now" if topic.state else "events, versions 1, 2, 3"
    return f"| `{topic.name}` | `{topic.key}` | {kind} | {_kept(topic)} | `{topic.source}` |\n"


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "the last of each key"
    milliseconds = int(topic.config["retention.ms"])
    return "for ever" if milliseconds < 0 else f"{milliseconds // 86_400_000} days"


def _section(topic: Topic) -> str:
    return f"\n## {topic.name}\n\n{topic.about}\n" + "".join(map(_event, topic.events))


def _event(event: type[Event]) -> str:
    schema = schema_of(event)
    fields = _fields(schema)
    table = "| field | type |\n| --- | --- |\n" + "".join(fields) if fields else "No fields.\n"
    return f"\n### {event.TYPE}\n\n`{event.full_type()}`. {schema['description']}\n\n{table}"


def _fields(schema: Schema) -> list[str]:
    required = cast("list[str]", schema.get("required", []))
    properties = cast("dict[str, Schema]", schema["properties"])
    return [
        f"| `{name}`{'' if name in required else ', optional'} | {_type(value)} |\n"
        for name, value in properties.items()
    ]


def _type(value: Schema) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in cast("list[Any]", value["enum"]))
    if value["type"] == "object":
        properties = cast("dict[str, Schema]", value["properties"])
        return "{" + ", ".join(f"`{name}`: {_type(inner)}" for name, inner in properties.items()) + "}"
    if value["type"] == "array":
        return f"list of {_type(value['items'])}"
    return str(value.get("format", value["type"]))
