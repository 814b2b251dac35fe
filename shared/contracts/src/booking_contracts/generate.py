"""`python -m booking_contracts.generate [--check]`: what is made of the event classes and the topic catalogue (JSON
Schemas, the AsyncAPI document, the pages of events) is written, or it is said which files are out of date."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import foreign_source
from booking_contracts.event import (
    UUID_IN_ANY_CASE,
    Event,
    Schema,
    opened,
    parted_schema_of,
    schema_of,
    schema_uri,
)
from booking_contracts.glossary import described, meaning
from booking_contracts.pages import catalogue, changes
from booking_contracts.topics import EVENTS, TOPICS, Topic, full_type

PACKAGE = Path(__file__).resolve().parent
PAGE = PACKAGE.parents[3] / "docs" / "events.md"


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file with the text that it should have today."""
    for event in EVENTS.values():
        path = PACKAGE / "schemas" / f"{event.TYPE}.v{event.TYPE_VERSION}.json"
        yield path, json.dumps(readers_schema(event), indent=2, ensure_ascii=False) + "\n"
    yield PACKAGE / "asyncapi.json", json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    yield PAGE, page()
    yield PAGE.with_name("catalogue.md"), catalogue()
    yield PAGE.with_name("contract-changes.md"), changes()


def readers_schema(event: type[Event]) -> Schema:
    """What a reader may rely on: open at every depth, each field with its meaning, shared parts under `$defs`."""
    schema, parts = parted_schema_of(event)
    whole = opened(described(schema))
    return {**whole, "$defs": {name: opened(described(part)) for name, part in parts.items()}} if parts else whole


def outdated() -> list[Path]:
    """The files that are missing or whose text is no longer the generated one."""
    return [path for path, text in generated() if not path.exists() or path.read_text("utf-8") != text]


def main() -> int:
    """Write, or with `--check` only look; 1 if something was out of date and is not written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    if parser.parse_args().check:
        for path in outdated():
            sys.stderr.write(f"out of date: {path}; run `make generate`\n")
        return 1 if outdated() else 0
    for path, text in generated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


VERSION = "2.7.0"
"""Of the whole contract, semantic: a break raises the first number, an addition the second."""

_UUID = {"type": "string", "format": "uuid"}
_TEXT = {"type": "string", "minLength": 1}
_NUMBERS = {"retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes"}
"""The configs that AsyncAPI's Kafka binding knows, as numbers; the others stand beside them as `x-configs`."""


_ABOUT = (
    "The published language: CloudEvents 1.0 in Kafka's binary mode. Two attributes are not sent, since they can be "
    "told from what is: `subject` is the record's key; `dataschema` is "
    f"`{schema_uri('<Type>', 1).replace('v1', 'v<N>')}` of the last two words of `ce_type`, `….<Type>.v<N>` (each "
    "message's `x-dataschema`, each schema file's `$id`). `ce_time` is when it happened, by the writer's clock; the "
    "order of one key is `ce_sequence`. Schemas are a reader's: fields may be added. An enumeration stays as it is for "
    "a version of a type; texts that are called open may say something new at any time. Amounts have the decimals that "
    "`x-decimals` says, IDR none. `x-personal-data` says whose data a field is: `pseudonym` (an id that stands for a "
    "person), `contact`, `public` (a practitioner's own page), `access` (whoever has it may join). `x-analytics` says "
    "whether a data team may read the topic. Generated; do not edit."
)


@dataclass(frozen=True, slots=True)
class _Version:
    """A type as one version of it is on the topic: today's is written, those before it are still there to be read."""

    topic: Topic
    event: type[Event]
    number: int

    @property
    def name(self) -> str:
        """Today's has the type's own name, an earlier one its number behind it."""
        return self.event.TYPE if self.number == self.event.TYPE_VERSION else f"{self.event.TYPE}V{self.number}"

    @property
    def file(self) -> str:
        """Of its schema and golden record, without ending."""
        return f"{self.event.TYPE}.v{self.number}"

    @property
    def schema(self) -> Schema:
        """A reader's; of an earlier version the file, which stays as it was published."""
        if self.number == self.event.TYPE_VERSION:
            return readers_schema(self.event)
        return json.loads((PACKAGE / "schemas" / f"{self.file}.json").read_text("utf-8"))


def _versions(topic: Topic) -> list[_Version]:
    return [_Version(topic, event, n) for event in topic.events for n in range(event.TYPE_VERSION, 0, -1)]


def document() -> dict[str, Any]:
    """The AsyncAPI 3.1 document, in the catalogue's order: channels with bindings, messages with headers and keys."""
    versions = [version for topic in TOPICS for version in _versions(topic)]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Booking's events",
            "version": VERSION,
            "description": _ABOUT,
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": {f"send_{_channel_id(topic)}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {version.name: _message(version) for version in versions},
            "schemas": {
                **{version.name: _payload(version) for version in versions},
                **{name: part for version in versions for name, part in _parts(version).items()},
            },
        },
    }


def _channel_id(topic: Topic) -> str:
    return topic.name.replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.config
    known = {name: int(config[name]) for name in sorted(_NUMBERS & config.keys())}
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"} for one in _versions(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": 3,
                "topicConfiguration": {"cleanup.policy": [config["cleanup.policy"]], **known},
                "bindingVersion": "0.5.0",
            }
        },
        "x-configs": {"min.insync.replicas": "2", **config},
        "x-kind": "state" if topic.state else "events",
        "x-record-timestamp": "when the broker took it" if topic.state else "when the store committed to it",
        "x-tombstones": topic.compacted,
        "x-analytics": topic.analytics,
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_channel_id(topic)}"},
        "summary": f"Written by {' and '.join(sources(topic))} alone.",
        "messages": [{"$ref": f"#/channels/{_channel_id(topic)}/messages/{event.TYPE}"} for event in topic.events],
    }


def _payload(version: _Version) -> dict[str, Any]:
    told = {name: _placed(value) for name, value in version.schema.items() if not name.startswith("$")}
    return {**told, "title": version.name}


def _parts(version: _Version) -> dict[str, Any]:
    return {name: _placed(part) for name, part in version.schema.get("$defs", {}).items()}


def _placed(node: Any) -> Any:
    """Its references into this document. What stands beside one is not looked at there (JSON Schema draft 7)."""
    match node:
        case {"$ref": str(reference), **beside}:
            place = {"$ref": reference.replace("#/$defs/", "#/components/schemas/")}
            return {**beside, "allOf": [place]} if beside else place
        case dict():
            return {name: _placed(value) for name, value in cast("Schema", node).items()}
        case list():
            return [_placed(one) for one in cast("list[Any]", node)]
        case _:
            return node


def _message(version: _Version) -> dict[str, Any]:
    topic, event = version.topic, version.event
    return {
        "name": full_type(event.TYPE, version.number),
        "title": event.TYPE,
        "summary": version.schema["description"],
        "contentType": "application/json",
        "headers": _headers(version),
        "payload": {"$ref": f"#/components/schemas/{version.name}"},
        "x-dataschema": schema_uri(event.TYPE, version.number),
        "bindings": {
            "kafka": {
                "key": {**_UUID, "description": f"The {topic.key}: CloudEvents' subject.", "x-field": topic.key},
                "bindingVersion": "0.5.0",
            },
        },
        "examples": _examples(version),
    }


def _examples(version: _Version) -> list[dict[str, Any]]:
    """The golden record of the corpus; none as long as it has none (a test asks for it)."""
    if version.file not in NAMES:
        return []
    record = golden(version.file)
    headers = {header: (value or b"").decode() for header, value in record.headers}
    return [{"name": version.name, "headers": headers, "payload": json.loads(record.value or b"")}]


def _headers(version: _Version) -> dict[str, Any]:
    topic = version.topic
    properties: dict[str, Any] = {
        "content-type": {"type": "string", "const": "application/json"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_source": {"type": "string", "const": topic.source},
        "ce_type": {"type": "string", "const": full_type(version.event.TYPE, version.number)},
        "ce_id": {**_UUID, "description": "The event's identity for ever; on state topics UUIDv5 of key and version."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "ce_sequence": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": _sequence(topic)},
        "ce_metadata": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": _METADATA,
            "description": "Who acted and because of what: one compact JSON object.",
        },
        "traceparent": {"type": "string", "description": "W3C Trace Context, where the trace is sampled."},
    }
    optional = {"traceparent"}
    if not topic.sequenced:
        # Another system's words: what `decode` holds it to, and no more.
        del properties["ce_sequence"]
        optional |= {"ce_metadata"}
        properties |= {
            "ce_id": {**_TEXT, "description": "Any text; with ce_source the event's identity (CloudEvents 1.0)."},
            "ce_source": {"type": "string", "pattern": f"^{re.escape(foreign_source(topic))}"},
            "ce_type": {"type": "string", "pattern": rf"^[a-z0-9.]+\.{version.event.TYPE}\.v{version.number}$"},
        }
    return {"type": "object", "properties": properties, "required": [n for n in properties if n not in optional]}


_METADATA = {
    "type": "object",
    "properties": {
        "actor": {
            "type": "string",
            "pattern": f"^((member|practitioner|admin):{UUID_IN_ANY_CASE}|service:[a-z0-9][a-z0-9-]*|system)$",
        },
        "correlation_id": {"type": "string", "description": "The caller's larger undertaking; default: `ce_id`."},
        "causation_id": {"type": "string", "description": "The request or event that caused it; absent if none."},
    },
    "required": ["actor"],
}


def _sequence(topic: Topic) -> str:
    return "The row's version." if topic.state else "The aggregate's version, from 1 without gaps."


_HEAD = """<!-- Generated from shared/contracts by `python -m booking_contracts.generate`; do not edit. -->

# The events

This page is generated from the docstrings of the event classes. Every record is a CloudEvent in Kafka's binary mode:
the value is the data alone, the rest are headers. The schemas, one real record of each type (`corpus/`) and the
AsyncAPI document are in `shared/contracts/src/booking_contracts/`, and in the package that is made of it.

| header | |
| --- | --- |
| `content-type` | `application/json`; absent with a tombstone at the writer's choice |
| `ce_specversion` | `1.0` |
| `ce_source` | who wrote it: one for each topic and writer, below |
| `ce_type` | `com.booking.<owner>.<Type>.v<N>` |
| `ce_id` | a UUID, the event's identity for ever; on state topics UUIDv5 of key and version |
| `ce_time` | when it happened, RFC 3339 |
| `ce_sequence` | the aggregate's version from 1 without gaps; on state topics the row's version |
| `ce_metadata` | who acted and because of what: a compact JSON object, below |
| `traceparent` | W3C Trace Context; there only where the trace is sampled |

`ce_metadata` has `actor` (`member:<uuid>`, `practitioner:<uuid>`, `admin:<uuid>`, `service:<name>` or `system`),
`correlation_id` (the caller's larger undertaking; default: `ce_id`) and `causation_id` (the request or event that
caused it; absent if none). In any language it is one call of the JSON parser; a name that is not listed is ignored.

Fields may be added to an event, so ignore those that you don't know; an enumeration stays as it is for a version of a
type, and a text that is called open may say something new at any time. Of money, `amount` is a whole number with the
decimals that `x-decimals` in the schema says: IDR has none here. The schemas also say each field's unit (`x-unit`) and
whose data it is (`x-personal-data`).

Two attributes of CloudEvents are not sent, since they can be told from what is: `subject` is the record's key, and
`dataschema` is `https://schemas.booking.example/<Type>.v<N>.json` of the last two words of `ce_type`, which is the
`$id` of the schema's file.

The record's own time in Kafka is, of events, when the store committed to them, however often they are sent (of a store
whose clock is ahead: when they were sent); on state topics, `booking.assessments.v1` too, when the broker took them.
`booking_contracts` gives it as `recorded_at`: `ce_time` is when it happened, `recorded_at` when it was known here, and
so it never falls within the events of one key.

Batches are packed with zstd unless the service was told otherwise (`RELAY_COMPRESSION`). Java's client and those built
on librdkafka read it as they are; aiokafka with its extra (`aiokafka[zstd]`), kafkajs with a decoder from `node:zlib`.

Whoever needs how Transactions and sessions are, not how they came about, reads their state topics and no history: a
state record of `ce_sequence` n holds every event of its key up to n, so of the events only later ones are still to be
applied. Its `causation_id` is the `ce_id` of event n. Nothing in it is erased later: it has no name, word or link.

A UUID may come in capitals, as key, in a header or in the value: it is the same UUID (RFC 9562 §4). Of our own headers,
by exactly these names, none may be null, doubled or malformed, or the record is held; any other header is ignored,
whatever it holds. A `traceparent` that is malformed, or one of several different ones, is as none.
`booking.assessments.v1` is another system's: there `ce_id` is any text, `ce_metadata` may be missing, and `ce_sequence`
is ignored. What was told to consultation by HTTP instead is there too, under a `ce_source` of its own; of two records
of one key the later one counts, whoever wrote it.

| topic | key | kind | kept | written by | read by |
| --- | --- | --- | --- | --- | --- |
"""


_CHANGES = """
## How a type changes

An optional field is added within a version. Whatever else changes is a new version of the type: what was published
stays as it was, on the topic, in `schemas/` and in `corpus/`, and whoever reads history meets both.

`TransactionPaid` went that way. Version 1 had `paid_at` alone, when checkout took the provider's notification: money
that came before midnight and was told after it was revenue of the wrong day. Version 2 has `settled_at`, the
provider's time. In this order:

1. The contract: `TYPE_VERSION = 2` and the field; the upcaster in `UPCASTERS`, which makes version 2 of a stored or
   published version 1 (`settled_at` is its `paid_at`: nothing better is known); `corpus/TransactionPaid.v2.json` beside
   the golden record of version 1, which stays; the schema of version 1 stays as a file. From here on whatever reads by
   `booking_contracts` takes both.
2. The readers are released: consultation, notifier, calendar-projector, and readers elsewhere with the new wheel or npm
   package. None of them has met version 2 yet. Whoever reads without our packages sees `.v2` in `ce_type` and decides.
3. Webhooks: an endpoint is told the version that it asked for, so nobody has to be there at the same hour.
4. The writer, checkout, is released last; the first payment after it is version 2. It reads its own stream, so its old
   copies are stopped first: one of the release before can't decide on a sale that was paid in version 2.
5. A reader that was forgotten holds what it can't read, and the key's records behind it; once it is released they are
   replayed in order (`/v1/held-records`). Nothing is lost.

That `.v1` is written no more is a break for readers elsewhere, so the contract's first number rose, with the reason in
`history.json`.
"""


def page() -> str:
    """The event catalogue page of the documentation, made of the classes' docstrings."""
    return _HEAD + "".join(map(_row, TOPICS)) + _CHANGES + "".join(map(_section, TOPICS))


def _row(topic: Topic) -> str:
    kind = "the row as it is now" if topic.state else "events, versions 1, 2, 3"
    return f"| `{topic.name}` | `{topic.key}` | {kind} | {_kept(topic)} | {_writers(topic)} | {_readers(topic)} |\n"


def sources(topic: Topic) -> list[str]:
    """Each `ce_source` that its records have."""
    return list(dict.fromkeys(map(topic.source_of, topic.writers)))


def _writers(topic: Topic) -> str:
    return ", ".join(f"`{source}`" for source in sources(topic))


def _readers(topic: Topic) -> str:
    return ", ".join([*topic.readers, *(["a data team"] if topic.analytics else [])])


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "the last of each key"
    milliseconds = int(topic.config["retention.ms"])
    return "for ever" if milliseconds < 0 else f"{milliseconds // 86_400_000} days"


def _section(topic: Topic) -> str:
    return f"\n## {topic.name}\n\n{topic.about}\n" + "".join(map(_event, topic.events))


def _event(event: type[Event]) -> str:
    schema = schema_of(event)
    fields = _fields(event.TYPE, schema)
    table = "| field | type | |\n| --- | --- | --- |\n" + "".join(fields) if fields else "No fields.\n"
    return f"\n### {event.TYPE}\n\n`{event.full_type()}`. {schema['description']}\n\n{table}"


def _fields(title: str, schema: Schema) -> list[str]:
    required = cast("list[str]", schema.get("required", []))
    properties = cast("dict[str, Schema]", schema["properties"])
    return [
        f"| `{name}`{'' if name in required else ', optional'} | {_type_of(value)} | {meaning(title, name).text} |\n"
        for name, value in properties.items()
    ]


def _type_of(value: Schema) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in cast("list[Any]", value["enum"]))
    if value["type"] == "object":
        properties = cast("dict[str, Schema]", value["properties"])
        return "{" + ", ".join(f"`{name}`: {_type_of(inner)}" for name, inner in properties.items()) + "}"
    if value["type"] == "array":
        return f"list of {_type_of(value['items'])}"
    return str(value.get("format", value["type"]))


if __name__ == "__main__":
    sys.exit(main())
