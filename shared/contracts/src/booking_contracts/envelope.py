"""The CloudEvents 1.0 envelope in Kafka's binary mode: the value is the data alone, the rest are headers."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from booking_contracts.errors import Undecodable
from booking_contracts.event import UUID_IN_ANY_CASE

JSON = "application/json"

_OURS = frozenset(
    {
        "content-type",
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "ce_dataschema",
        "ce_sequence",
        "ce_actor",
        "ce_causationid",
        "ce_correlationid",
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

Headers = Iterable[tuple[str, bytes | None]]


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


def read_headers(headers: Headers, *, sequenced: bool = True) -> Envelope:
    """The envelope that these headers spell. Undecodable if one of ours is null, no text, doubled, or bad.

    What is not ours is ignored, whatever it holds: Kafka lets tracing agents and brokers add headers of any bytes, any
    number of times (KIP-82). With `sequenced` false another system wrote the record: `ce_sequence` is then not ours
    either, `ce_actor` is optional, and `ce_id` is any text (CloudEvents 1.0 §3.1.1).
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
    subject = _needed(texts, "ce_subject")
    return Envelope(
        id=event_id,
        source=source,
        type=_matching(texts, "ce_type", _TYPE),
        subject=one_spelling(subject),
        time=_instant(_matching(texts, "ce_time", _INSTANT)),
        sequence=None if sequence is None else int(sequence),
        actor=_actor(texts, source, sequenced=sequenced),
        causation_id=texts.get("ce_causationid"),
        correlation_id=texts.get("ce_correlationid", str(event_id)),
        traceparent=traceparent_in(headers),
        dataschema=texts.get("ce_dataschema"),
    )


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


def _actor(texts: dict[str, str], source: str, *, sequenced: bool) -> str:
    # Another system's state topic (assessments) need not know our actors: it is the actor itself.
    if "ce_actor" not in texts and not sequenced:
        name = re.sub(r"[^a-z0-9-]", "", source.rpartition("/")[2].lower()).strip("-")
        return f"service:{name or 'unknown'}"
    return _matching(texts, "ce_actor", _ACTOR).lower()


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Undecodable("ce_time is malformed") from None


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
