"""The CloudEvents 1.0 envelope in Kafka's binary mode: the value is the data alone, the rest are headers.

Two attributes are not sent, since they can be told from what is: the subject is the record's key, and the schema is
named by the type (`booking_contracts.event.schema_uri`). Who acted and why is one header, `ce_metadata` (ADR 12).
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from booking_contracts.errors import Undecodable
from booking_contracts.event import UUID_IN_ANY_CASE, has_nul

JSON = "application/json"

_OURS = frozenset(
    {
        "content-type",
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_sequence",
        "ce_metadata",
    }
)
"""By these exact names: Kafka tells `Ce_Id` from `ce_id`."""

_ACTOR = re.compile(rf"(?:member|practitioner|admin):{UUID_IN_ANY_CASE}|service:[a-z0-9][a-z0-9-]*|system")
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}")
_UUID = re.compile(UUID_IN_ANY_CASE)
_TYPE = re.compile(r"[a-z0-9.]+\.[A-Za-z0-9]+\.v[1-9][0-9]{0,3}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_JSON_TYPE = re.compile(r"application/json\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_PLAIN = re.compile(
    r'\{"actor":"([0-9a-z:-]+)","correlation_id":"([ !#-\[\]-~]*)"(?:,"causation_id":"([ !#-\[\]-~]*)")?\}'
)
"""What we write ourselves, where nothing in it needs an escape: read in a third of a JSON parser's time."""
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Headers = Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says what about which aggregate, when, and because of what.

    `subject` is the record's key. `sequence` is the aggregate's version from 1 without gaps, on state topics the row's
    version; absent on the assessments topic alone.
    """

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: int | None
    actor: str
    causation_id: str | None
    correlation_id: str
    traceparent: str | None

    def headers(self) -> list[tuple[str, bytes]]:
        """The record's headers. Never a null and never a binary one: some consumers' parsers die of those (K10)."""
        named: list[tuple[str, str | None]] = [
            ("content-type", JSON),
            ("ce_specversion", "1.0"),
            ("ce_source", self.source),
            ("ce_type", self.type),
            ("ce_id", str(self.id)),
            ("ce_time", rfc3339(self.time)),
            ("ce_sequence", None if self.sequence is None else str(self.sequence)),
            ("ce_metadata", metadata(self.actor, self.correlation_id, self.causation_id)),
            ("traceparent", sampled(self.traceparent)),
        ]
        return [(name, value.encode()) for name, value in named if value is not None]


def read_headers(headers: Headers, key: bytes | None, *, sequenced: bool = True) -> Envelope:
    """The envelope that these headers and this key spell. Undecodable if one of ours is null, no text, doubled, or bad.

    What is not ours is ignored, whatever it holds: Kafka lets tracing agents and brokers add headers of any bytes, any
    number of times (KIP-82). With `sequenced` false another system wrote the record: `ce_sequence` is then not ours
    either, `ce_metadata` is optional, and `ce_id` is any text (CloudEvents 1.0 §3.1.1).
    """
    headers = tuple(headers)
    texts = _texts(headers, _OURS if sequenced else _OURS - {"ce_sequence"})
    if _needed(texts, "ce_specversion") != "1.0":
        raise Undecodable("ce_specversion is not 1.0")
    content_type = texts.get("content-type", JSON)
    if not _JSON_TYPE.fullmatch(content_type):
        raise Undecodable("content-type is not application/json")
    source = _needed(texts, "ce_source")
    event_id = _id(texts, source, sequenced=sequenced)
    sequence = _matching(texts, "ce_sequence", _SEQUENCE) if "ce_sequence" in texts else None
    told = _metadata(_needed(texts, "ce_metadata")) if sequenced or "ce_metadata" in texts else {}
    return Envelope(
        id=event_id,
        source=source,
        type=_matching(texts, "ce_type", _TYPE),
        subject=_subject(key),
        time=_instant(_matching(texts, "ce_time", _INSTANT)),
        sequence=None if sequence is None else int(sequence),
        actor=_actor(told, source, sequenced=sequenced),
        causation_id=told.get("causation_id"),
        correlation_id=told.get("correlation_id") or str(event_id),
        traceparent=traceparent_in(headers),
    )


def metadata(actor: str, correlation_id: str, causation_id: str | None = None) -> str:
    """The `ce_metadata` of these, as the store keeps it and records carry it: a compact JSON object.

    ValueError for text that PostgreSQL and others cannot hold (NUL).
    """
    told = {"actor": actor, "correlation_id": correlation_id}
    if causation_id is not None:
        told["causation_id"] = causation_id
    text = _compact(told)
    if "\\u0000" in text and has_nul(told):
        raise ValueError("the metadata hold a NUL character")
    return text


def sampled(traceparent: str | None) -> str | None:
    """The traceparent if its trace is kept (W3C Trace Context §3.2.2.5.1): nobody can follow another one."""
    return traceparent if traceparent and int(traceparent[53:55] or "0", 16) & 1 else None


def rfc3339(instant: datetime) -> str:
    """The instant in UTC, its fraction without trailing zeros: as PostgreSQL's text of it has."""
    text = instant.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if instant.microsecond else text) + "Z"


def traceparent_in(headers: Headers) -> str | None:
    """The trace that the record goes on in; None if there is none, or several: some agents add one at each hop.

    A malformed one is as none (W3C Trace Context §3.2.2.5: never a reason to refuse what carries it).
    """
    found = {value for name, value in headers if name == "traceparent" and value and _is_traceparent(value)}
    return found.pop().decode("ascii") if len(found) == 1 else None


def one_spelling(text: str) -> str:
    """A UUID in lower case, whatever case it came in (RFC 9562 §4); any other text as it is."""
    return text.lower() if _UUID.fullmatch(text) else text


def _is_traceparent(value: bytes) -> bool:
    found = _TRACEPARENT.fullmatch(value)
    # Version 00 ends where it ends; a later one may go on.
    return found is not None and value.isascii() and not (found[1] == b"00" and found[2])


def _texts(headers: Headers, ours: Collection[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if name not in ours:
            continue
        if value is None:
            raise Undecodable(f"{name} is null")
        if name in texts:
            raise Undecodable(f"{name} appears twice")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Undecodable(f"{name} is not UTF-8") from None
        if "\x00" in text:
            raise Undecodable(f"{name} holds a NUL character")
        texts[name] = text
    return texts


def _needed(texts: dict[str, str], name: str) -> str:
    text = texts.get(name)
    if not text:
        raise Undecodable(f"{name} is missing")
    return text


def _matching(texts: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    text = _needed(texts, name)
    if not pattern.fullmatch(text):
        raise Undecodable(f"{name} is malformed")
    return text


def _id(texts: dict[str, str], source: str, *, sequenced: bool) -> UUID:
    text = texts.get("ce_id", "")
    if sequenced or _UUID.fullmatch(text):
        return UUID(_matching(texts, "ce_id", _UUID))
    # Source and id together name an event of another system; the same two are the same event (CloudEvents §3.1.1).
    return uuid5(uuid5(NAMESPACE_URL, source), _needed(texts, "ce_id"))


def _subject(key: bytes | None) -> str:
    # T24: the key decides the partition and so the order; it must name an aggregate.
    text = "" if key is None else key.decode("utf-8", "replace").lower()
    if not _UUID.fullmatch(text):
        raise Undecodable("the key is not a UUID")
    return text


def _metadata(text: str) -> dict[str, str]:
    """The three that we know, as far as they are there; others are of a later release, and ignored."""
    if plain := _PLAIN.fullmatch(text):
        actor, correlation_id, causation_id = plain.groups()
        found = {"actor": actor, "correlation_id": correlation_id}
        return found if causation_id is None else {**found, "causation_id": causation_id}
    try:
        told: Any = json.loads(text)
        if "\\u" in text:
            _compact(told).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is one: a lone surrogate
        raise Undecodable("ce_metadata is not JSON") from None
    if not isinstance(told, dict):
        raise Undecodable("ce_metadata is not an object")
    told = cast("dict[str, Any]", told)
    known: dict[str, str] = {}
    for name in ("actor", "correlation_id", "causation_id"):
        if name not in told:
            continue
        value = told[name]
        if not isinstance(value, str) or "\x00" in value:
            raise Undecodable(f"ce_metadata: {name} is malformed")
        known[name] = value
    return known


def _actor(told: dict[str, str], source: str, *, sequenced: bool) -> str:
    # Another system's state topic (assessments) need not know our actors: it is the actor itself.
    actor = told.get("actor")
    if actor is None and not sequenced:
        name = re.sub(r"[^a-z0-9-]", "", source.rpartition("/")[2].lower()).strip("-")
        return f"service:{name or 'unknown'}"
    if actor is None or not _ACTOR.fullmatch(actor):
        raise Undecodable("ce_metadata: actor is missing or malformed")
    return actor.lower()


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Undecodable("ce_time is malformed") from None
