"""The CloudEvents 1.0 envelope in Kafka's binary mode: the value is the data alone, the rest are headers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from booking_contracts.errors import Undecodable
from booking_contracts.fields import UUID_PATTERN

JSON = "application/json"

_ACTOR = re.compile(rf"(?:member|practitioner|admin):{UUID_PATTERN}|service:[a-z0-9][a-z0-9-]*|system")
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}")
_UUID = re.compile(UUID_PATTERN)
_TYPE = re.compile(r"[a-z0-9.]+\.[A-Za-z0-9]+\.v[1-9][0-9]{0,3}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_JSON_TYPE = re.compile(r"application/json\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says what about which aggregate, when, and because of what.

    `sequence` is the aggregate's version from 1 without gaps, on state topics the row's version; absent on the
    assessments topic alone.
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
    dataschema: str | None

    def headers(self) -> list[tuple[str, bytes]]:
        """The record's headers. Never a null and never a binary one: some consumers' parsers die of those (K10)."""
        named: list[tuple[str, str | None]] = [
            ("content-type", JSON),
            ("ce_specversion", "1.0"),
            ("ce_id", str(self.id)),
            ("ce_source", self.source),
            ("ce_type", self.type),
            ("ce_subject", self.subject),
            ("ce_time", _rfc3339(self.time)),
            ("ce_dataschema", self.dataschema),
            ("ce_sequence", None if self.sequence is None else str(self.sequence)),
            ("ce_actor", self.actor),
            ("ce_causationid", self.causation_id),
            ("ce_correlationid", self.correlation_id),
            ("traceparent", self.traceparent),
        ]
        return [(name, value.encode()) for name, value in named if value is not None]


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """The envelope that these headers spell. Undecodable if one is null, binary, doubled, missing or malformed."""
    texts = _texts(headers)
    if _needed(texts, "ce_specversion") != "1.0":
        raise Undecodable("ce_specversion is not 1.0")
    content_type = texts.get("content-type", JSON)
    if not _JSON_TYPE.fullmatch(content_type):
        raise Undecodable("content-type is not application/json")
    event_id = UUID(_matching(texts, "ce_id", _UUID))
    sequence = _matching(texts, "ce_sequence", _SEQUENCE) if "ce_sequence" in texts else None
    source = _needed(texts, "ce_source")
    return Envelope(
        id=event_id,
        source=source,
        type=_matching(texts, "ce_type", _TYPE),
        subject=_needed(texts, "ce_subject"),
        time=_instant(_matching(texts, "ce_time", _INSTANT)),
        sequence=None if sequence is None else int(sequence),
        actor=_actor(texts, source, sequenced=sequence is not None),
        causation_id=texts.get("ce_causationid"),
        correlation_id=texts.get("ce_correlationid", str(event_id)),
        traceparent=texts.get("traceparent"),
        dataschema=texts.get("ce_dataschema"),
    )


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if value is None:
            raise Undecodable("a header is null")
        if name in texts:
            raise Undecodable("a header appears twice")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Undecodable("a header is not UTF-8") from None
        if "\x00" in text or "\x00" in name:
            raise Undecodable("a header holds a NUL character")
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


def _actor(texts: dict[str, str], source: str, *, sequenced: bool) -> str:
    # Another system's state topic (assessments) need not know our actors: it is the actor itself.
    if "ce_actor" not in texts and not sequenced:
        name = re.sub(r"[^a-z0-9-]", "", source.rpartition("/")[2].lower()).strip("-")
        return f"service:{name or 'unknown'}"
    return _matching(texts, "ce_actor", _ACTOR)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Undecodable("ce_time is malformed") from None


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
