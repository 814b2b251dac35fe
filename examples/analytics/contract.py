"""What of the contract comes into the lake, what of a person never does, and a record as a row."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from booking_contracts.decode import Record, decode
from booking_contracts.errors import NewerVersion, Undecodable
from booking_contracts.topics import TOPICS

LANDED = [topic for topic in TOPICS if topic.analytics]
"""All but the contacts: whom to reach and how is no figure (docs/consuming.md)."""

NEVER = {"access", "contact"}
"""Of a field's `x-personal-data`: what opens a meeting or reaches a person stays out, whatever the event."""


def schema_of(event: Any) -> dict:
    """The schema of an event's class as the contract publishes it, with what each field means and whose data it is."""
    return _schema(f"{event.TYPE}.v{event.TYPE_VERSION}.json")


def left_out(event: Any) -> dict:
    """The fields of an event's class that never come in, as pydantic's `exclude` wants them."""
    return _fields_left_out(f"{event.TYPE}.v{event.TYPE_VERSION}.json")


@cache
def _schema(name: str) -> dict:
    return json.loads((files("booking_contracts") / "schemas" / name).read_text("utf-8"))


@cache
def _fields_left_out(name: str) -> dict:
    schema = _schema(name)
    return _left_out(schema, schema.get("$defs", {}))


def _left_out(schema: dict, shared: dict) -> dict:
    found = {}
    for name, field in schema.get("properties", {}).items():
        part = shared.get(field.get("$ref", "").rpartition("/")[2], field)
        if field.get("x-personal-data") in NEVER:
            found[name] = True
        elif inner := _left_out(part, shared):
            found[name] = inner
    return found


def personal_topics() -> list[str]:
    """The topics whose rows are a person's own: keyed by the person, and gone with them."""
    people = [(topic, schema_of(topic.events[0])["properties"][topic.key]) for topic in LANDED if topic.state]
    return [topic.name for topic, key in people if key.get("x-personal-data") == "pseudonym"]


def read(record: Record) -> tuple[tuple | None, str]:
    """The record as a row of `landed.event`; None, and why, if this release of the contracts can't read it."""
    try:
        decoded = decode(record)
    except (Undecodable, NewerVersion) as why:
        return None, f"{type(why).__name__}: {why}"
    if decoded.kind == "unknown":
        return None, f"{decoded.meta.type} is newer than this release"
    meta, event, (name, version) = decoded.meta, decoded.event, decoded.meta.type.rsplit(".", 2)[1:]
    data = None
    if event is not None:
        version = f"v{event.TYPE_VERSION}"  # an older one was turned into today's
        data = event.model_dump_json(exclude_none=True, exclude=left_out(type(event)))
    times = (meta.time.isoformat(), record.recorded_at.isoformat())
    return (
        *(record.topic, meta.subject, str(meta.id), meta.sequence, name, int(version[1:]), *times),
        *(meta.actor, meta.correlation_id, meta.causation_id, data),
    ), ""
