"""From a record's bytes, or a stored row's text, to an event: nothing gets past that is not of this language."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast
from uuid import UUID

from pydantic import ValidationError

from booking_contracts.envelope import Envelope, one_spelling, read_headers
from booking_contracts.errors import NewerVersion, Undecodable
from booking_contracts.event import Event
from booking_contracts.fields import UUID_PATTERN
from booking_contracts.json_guard import refuse_hostile
from booking_contracts.record import Record
from booking_contracts.registry import EVENTS
from booking_contracts.topics import Topic, topic_named
from booking_contracts.upcasters import upcast

_UUID = re.compile(UUID_PATTERN)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record understood. `event` is there for kind `event` alone: a tombstone and an unknown type have none."""

    record: Record
    meta: Envelope
    event: Event | None
    kind: Literal["event", "tombstone", "unknown"]


def decode(record: Record) -> Decoded:
    """Read one record.

    Raises Undecodable for whatever breaks the language (F44; also a writer that is not the topic's owner, T24), and
    NewerVersion for a later major version of a known type. A type unknown to this release is no error: kind `unknown`.
    """
    topic = _topic(record)
    meta = read_headers(record.headers, sequenced=topic.sequenced)
    _check_origin(topic, record, meta)
    if record.value is None:
        if not topic.compacted:
            raise Undecodable("a null value on a topic that is not compacted")
        return Decoded(record, meta, None, "tombstone")
    _check_content_type(record)
    event_class, version = _resolve(topic.name, meta.type)
    if event_class is None:
        return Decoded(record, meta, None, "unknown")
    event = _read(event_class, version, record.value)
    if getattr(event, topic.key, None) not in {None, _subject_id(meta)}:
        raise Undecodable(f"the value's {topic.key} is not the subject")
    return Decoded(record, meta, event, "event")


def from_store(type: str, type_version: int, data: str | bytes) -> Event:  # noqa: A002 the column's name
    """The event of a stored row, old versions turned into today's.

    Raises Undecodable for an unknown type or data that do not fit it, NewerVersion for a version from the future.
    """
    event_class = EVENTS.get(type)
    if event_class is None:
        raise Undecodable(f"no event type is named {type}")
    return _read(event_class, type_version, data.encode() if isinstance(data, str) else data)


def _topic(record: Record) -> Topic:
    try:
        return topic_named(record.topic)
    except KeyError:
        raise Undecodable("the topic is not in the catalogue") from None


def _check_origin(topic: Topic, record: Record, meta: Envelope) -> None:
    # T24: the key decides the partition and so the order; another key than the subject would tear a stream apart.
    if record.key is None or one_spelling(record.key.decode("utf-8", "replace")) != meta.subject:
        raise Undecodable("the key is not the subject")
    if not _UUID.fullmatch(meta.subject):
        raise Undecodable("ce_subject is malformed")
    if topic.sequenced and meta.sequence is None:
        raise Undecodable("ce_sequence is missing")
    if not _owns(topic, meta.source):
        raise Undecodable("ce_source does not own this topic")


def _owns(topic: Topic, source: str) -> bool:
    if topic.sequenced:
        return source == topic.source
    return source.startswith(foreign_source(topic))


def foreign_source(topic: Topic) -> str:
    """How the source of a topic begins that another system writes.

    The assessment service is not ours to name: /booking/assessment, /booking/assessment-service and so on."""
    return topic.source.rstrip("s")


def _check_content_type(record: Record) -> None:
    if not any(name == "content-type" for name, _ in record.headers):
        raise Undecodable("content-type is missing")


@lru_cache(maxsize=1024)
def _resolve(topic_name: str, full: str) -> tuple[type[Event] | None, int]:
    """The event class of a `ce_type` on this topic, None if it is unknown; and its version."""
    topic = topic_named(topic_name)
    head, _, version = full.rpartition(".v")
    namespace, _, name = head.rpartition(".")
    event_class = topic.event_named(name)
    # Of the assessment service only the name and version of its type are fixed.
    if event_class is not None and topic.sequenced and namespace != event_class.NAMESPACE:
        event_class = None
    return event_class, int(version)


def _subject_id(meta: Envelope) -> object:
    return UUID(meta.subject)


def _read(event_class: type[Event], version: int, data: bytes) -> Event:
    if version > event_class.TYPE_VERSION:
        raise NewerVersion(f"{event_class.NAMESPACE}.{event_class.TYPE}.v{version}")
    refuse_hostile(data)
    try:
        if version == event_class.TYPE_VERSION:
            return event_class.from_json(data)
        old = cast("dict[str, object]", json.loads(data))
        return event_class.from_json(json.dumps(upcast(event_class.TYPE, version, event_class.TYPE_VERSION, old)))
    except ValidationError as error:
        raise Undecodable(_why(error)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Undecodable("the value does not fit its version") from None


def _why(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['type']}" if where else "the value is not JSON of this type"
