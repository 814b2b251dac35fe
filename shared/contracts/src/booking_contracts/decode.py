"""From a record's bytes, or a stored row's text, to an event: nothing gets past that is not of this language."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NoReturn, cast
from uuid import UUID

from pydantic import ValidationError

from booking_contracts.envelope import Envelope, read_headers
from booking_contracts.errors import NewerVersion, Undecodable
from booking_contracts.event import Event, has_nul
from booking_contracts.topics import EVENTS, Topic, topic_named

_LARGEST = 2**63 - 1

_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
"""Maps every digit to 0 and all else to a blank: far quicker than a pattern, and each record comes past here."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record, whatever client read it; `topic` is the logical name, without a deployment's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    @property
    def recorded_at(self) -> datetime:
        """The record's own time: of an event when the store committed to it, however often it is sent; on state topics,
        and on another system's, when the broker took it. 1970 where the client told none."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


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
    meta = read_headers(record.headers, record.key, sequenced=topic.sequenced)
    _check_origin(topic, meta)
    if record.value is None:
        if not topic.compacted:
            raise Undecodable("a null value on a topic that is not compacted")
        return Decoded(record, meta, None, "tombstone")
    if not any(name == "content-type" for name, _ in record.headers):
        raise Undecodable("content-type is missing")
    event_class, version = _resolve(topic.name, meta.type)
    if event_class is None:
        return Decoded(record, meta, None, "unknown")
    event = _read(event_class, version, record.value, from_outside=True)
    if getattr(event, topic.key, None) not in {None, UUID(meta.subject)}:
        raise Undecodable(f"the value's {topic.key} is not the key")
    return Decoded(record, meta, event, "event")


def from_store(name: str, version: int, data: str | bytes) -> Event:
    """The event of a stored row, old versions turned into today's.

    A store holds what its own service's `to_json` wrote: only the fields of its type are looked at, a third less work
    than a record's. Raises Undecodable for an unknown type or data that do not fit it, NewerVersion for a version
    from the future.
    """
    event_class = EVENTS.get(name)
    if event_class is None:
        raise Undecodable(f"no event type is named {name}")
    return _read(event_class, version, data.encode() if isinstance(data, str) else data, from_outside=False)


def _topic(record: Record) -> Topic:
    try:
        return topic_named(record.topic)
    except KeyError:
        raise Undecodable("the topic is not in the catalogue") from None


def _check_origin(topic: Topic, meta: Envelope) -> None:
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


def _read(event_class: type[Event], version: int, data: bytes, *, from_outside: bool) -> Event:
    if version > event_class.TYPE_VERSION:
        raise NewerVersion(f"{event_class.NAMESPACE}.{event_class.TYPE}.v{version}")
    if from_outside:
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


Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("TransactionPaid", 1): lambda paid: {**paid, "settled_at": paid["paid_at"]},
}
"""(type, version) to the function that makes version + 1 of it.

Published events are never changed: an old version is turned into the next on reading. To publish a new version of a
type: raise its TYPE_VERSION, keep the old schema and corpus files, and add here the function that turns the old data
into the new. Readers are released before the first writer (events.md, "How a type changes")."""


def upcast(name: str, version: int, target: int, data: dict[str, Any]) -> dict[str, Any]:
    """The data as version `target` would have told it. KeyError if a step is missing."""
    for step in range(version, target):
        data = UPCASTERS[name, step](data)
    return data


def refuse_hostile(value: bytes) -> None:
    """Undecodable for NaN and infinities, integers beyond 64 bits, U+0000 and lone surrogates, wherever they stand.

    Fields that this release does not know are not validated by its models, yet other readers would store them.
    """
    # A look at the raw bytes is cheap and finds every culprit, besides innocent texts: those get the exact look.
    if not (b"\\u" in value or b"NaN" in value or b"Infinity" in value or b"0" * 19 in value.translate(_DIGITS)):
        return
    try:
        parsed = json.loads(value, parse_constant=_no_constant, parse_int=_int64)
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Undecodable("a text holds a lone surrogate") from None
    except (ValueError, RecursionError):
        raise Undecodable("the value is not JSON") from None
    if has_nul(parsed):
        raise Undecodable("a text holds U+0000")


def _no_constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is no JSON number")


def _int64(digits: str) -> int:
    # Length first: int() of a million digits is slow, and refuses over 4,300 by a ValueError.
    if len(digits) > 20 or abs(int(digits)) > _LARGEST:
        raise Undecodable("an integer has more than 64 bits")
    return int(digits)
