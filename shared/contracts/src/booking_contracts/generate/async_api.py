"""The AsyncAPI 3.0 document: channels with their Kafka bindings, messages with headers and keys."""

import json
import re
from typing import Any

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import foreign_source
from booking_contracts.event import Event
from booking_contracts.fields import UUID_IN_ANY_CASE
from booking_contracts.generate.json_schema import schema_of
from booking_contracts.topics import TOPICS, Topic

_UUID = {"type": "string", "format": "uuid"}
_TEXT = {"type": "string", "minLength": 1}
_NUMBERS = {"retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes"}
"""The configs that AsyncAPI's Kafka binding knows, as numbers; the others stand beside them as `x-configs`."""


def document() -> dict[str, Any]:
    """The whole document, in the order of the catalogue."""
    events = {event.TYPE: (topic, event) for topic in TOPICS for event in topic.events}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Booking's events",
            "version": "1.0.0",
            "description": "The published language: CloudEvents 1.0 in Kafka's binary mode. Generated; do not edit.",
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": {f"send_{_channel_id(topic)}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {name: _message(topic, event) for name, (topic, event) in events.items()},
            "schemas": {name: _payload(event) for name, (_, event) in events.items()},
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
        "messages": {event.TYPE: {"$ref": f"#/components/messages/{event.TYPE}"} for event in topic.events},
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
        "x-tombstones": topic.compacted,
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_channel_id(topic)}"},
        "summary": f"Written by {topic.source} alone.",
        "messages": [{"$ref": f"#/channels/{_channel_id(topic)}/messages/{event.TYPE}"} for event in topic.events],
    }


def _payload(event: type[Event]) -> dict[str, Any]:
    return {name: value for name, value in schema_of(event).items() if not name.startswith("$")}


def _message(topic: Topic, event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.full_type(),
        "title": event.TYPE,
        "summary": " ".join((event.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": _headers(topic, event),
        "payload": {"$ref": f"#/components/schemas/{event.TYPE}"},
        "bindings": {
            "kafka": {"key": {**_UUID, "description": f"The {topic.key}."}, "bindingVersion": "0.5.0"},
        },
        "examples": _examples(event),
    }


def _examples(event: type[Event]) -> list[dict[str, Any]]:
    """The golden record of the corpus; none as long as it has none (a test asks for it)."""
    name = f"{event.TYPE}.v{event.TYPE_VERSION}"
    if name not in NAMES:
        return []
    record = golden(name)
    headers = {header: (value or b"").decode() for header, value in record.headers}
    return [{"name": event.TYPE, "headers": headers, "payload": json.loads(record.value or b"")}]


def _headers(topic: Topic, event: type[Event]) -> dict[str, Any]:
    schema = schema_of(event)
    properties: dict[str, Any] = {
        "content-type": {"type": "string", "const": "application/json"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {**_UUID, "description": "The event's identity for ever; on state topics UUIDv5 of key and version."},
        "ce_source": {"type": "string", "const": topic.source},
        "ce_type": {"type": "string", "const": event.full_type()},
        "ce_subject": {**_UUID, "description": f"The {topic.key}, the same as the record's key."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_dataschema": {"type": "string", "const": schema["$id"]},
        "ce_sequence": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": _sequence(topic)},
        "ce_actor": {
            "type": "string",
            "pattern": f"^((member|practitioner|admin):{UUID_IN_ANY_CASE}|service:[a-z0-9][a-z0-9-]*|system)$",
        },
        "ce_causationid": {"type": "string"},
        "ce_correlationid": {"type": "string"},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    }
    optional = {"ce_causationid", "traceparent", "ce_dataschema"}
    if not topic.sequenced:
        # Another system's words: what `decode` holds it to, and no more.
        del properties["ce_sequence"]
        optional |= {"ce_actor", "ce_correlationid"}
        properties |= {
            "ce_id": {**_TEXT, "description": "Any text; with ce_source the event's identity (CloudEvents 1.0)."},
            "ce_source": {"type": "string", "pattern": f"^{re.escape(foreign_source(topic))}"},
            "ce_type": {"type": "string", "pattern": rf"^[a-z0-9.]+\.{event.TYPE}\.v{event.TYPE_VERSION}$"},
            "ce_dataschema": _TEXT,
        }
    return {"type": "object", "properties": properties, "required": [n for n in properties if n not in optional]}


def _sequence(topic: Topic) -> str:
    return "The row's version." if topic.state else "The aggregate's version, from 1 without gaps."
