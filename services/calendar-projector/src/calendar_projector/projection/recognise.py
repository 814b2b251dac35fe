"""Recognising plain records at a glance: the exact bytes that our own writer makes of a session event.

A record that matches is one that `decode` accepts with the same meaning (tested with every golden record and mutations
of them); whatever does not match, for whatever reason, is decoded the long way. That is a tenth of the cost, which is
most of a rebuild. What a pattern cannot know, such as a 31st of February, PostgreSQL refuses, and the batch is then
decoded the long way too.
"""

import re
from typing import Any, NamedTuple

from booking_contracts.event import UUID_PATTERN, Event, Schema, schema_of
from booking_contracts.topics import SESSIONS

_DATE = r"(?:[1-9]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_INSTANT = rf"{_DATE}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{{1,6}})?Z"
_ASCII = r"[ !#-\[\]-~]"
"""ASCII that JSON writes as it is."""
_BY_FORMAT = {"uuid": UUID_PATTERN, "date-time": _INSTANT, "date": _DATE}

WANTED = (
    "transaction_id",
    "user_id",
    "practitioner_id",
    "status",
    "schedule_version",
    "scheduled_date",
    "time_start",
    "time_end",
    "timezone",
    "starts_at",
    "ends_at",
    "meeting_link",
)

_SENT = (
    rf"(?P<session_id>{UUID_PATTERN})\n"  # the key, then the id
    rf"{UUID_PATTERN}\n"
    rf"(?P<time>{_INSTANT})\n"
    r"(?P<sequence>[1-9]\d{0,8})\n"
    rf'\{{"actor":"(?:system|service:[a-z0-9][a-z0-9-]*|(?:member|practitioner|admin):{UUID_PATTERN})"'
    rf',"correlation_id":"{_ASCII}*"(?:,"causation_id":"{_ASCII}*")?\}}\n'
)
"""Before the body, a line each: the key and the last four of _NAMES. No line may hold a line's end."""


class Recognised(NamedTuple):
    """A recognised record: what the fold needs of it. `data` is its match, with the names of WANTED."""

    session_id: str
    version: int
    kind: str
    data: re.Match[str]
    happened: str


def recognise(raw: Any) -> Recognised | None:
    """The meaning of a record (as aiokafka hands it over) if it is plain, None if it has to be decoded."""
    try:
        names, values = zip(*raw.headers, strict=True)
        if names not in (_NAMES, _TRACED) or values[:3] != _SAME_FOR_ALL:
            return None
        kind, pattern = _TYPES[values[3]]
        found = pattern.fullmatch(b"\n".join((raw.key, *values[4:8], raw.value)).decode("ascii"))
    except (KeyError, TypeError, ValueError):
        return None
    if found is None:
        return None
    session_id, version, happened = found.group("session_id", "sequence", "time")
    return Recognised(session_id, int(version), kind, found, happened)


def _pattern(event: type[Event]) -> re.Pattern[str]:
    return re.compile(_SENT + _object(schema_of(event), top=True), re.ASCII)


def _object(schema: Schema, *, top: bool = False) -> str:
    parts: list[str] = []
    for index, (name, value) in enumerate(schema["properties"].items()):
        comma = "," if index else ""
        text = _value(value)
        if top and name == "session_id":
            text = '"(?P=session_id)"'
        elif top and name in WANTED:
            quotes = '"' if text.startswith('"') else ""
            text = f"{quotes}(?P<{name}>{text.strip(quotes) if quotes else text}){quotes}"
        part = f'{comma}"{name}":{text}'
        parts.append(part if name in schema["required"] else f"(?:{part})?")
    return r"\{" + "".join(parts) + r"\}"


def _value(schema: Schema) -> str:  # noqa: PLR0911 a table
    match schema:
        case {"type": "object"}:
            return _object(schema)
        case {"type": "boolean"}:
            return "(?:true|false)"
        case {"const": str(text)}:
            return f'"{re.escape(text)}"'
        case {"enum": [*options]} if schema["type"] == "integer":
            return f"(?:{'|'.join(map(str, options))})"
        case {"enum": [*options]}:
            return f'"(?:{"|".join(map(re.escape, options))})"'
        case {"type": "integer"}:
            return r"(?:0|[1-9]\d{0,8})"
        case {"format": str(name)}:
            return f'"(?:{_BY_FORMAT[name]})"'
        case {"pattern": str(pattern)}:
            return f'"(?:{pattern.removeprefix("^").removesuffix("$")})"'
        case {"type": "string"}:
            return f'"{_ASCII}{{{schema.get("minLength", 0)},{schema.get("maxLength", 4000)}}}"'
        case _:
            raise NotImplementedError(f"no pattern for {schema}")


_NAMES = (
    "content-type",
    "ce_specversion",
    "ce_source",
    "ce_type",
    "ce_id",
    "ce_time",
    "ce_sequence",
    "ce_metadata",
)
"""The headers in our writer's order; what comes in another one, or with more, is decoded."""
_TRACED = (*_NAMES, "traceparent")
_SAME_FOR_ALL = (b"application/json", b"1.0", SESSIONS.source.encode())
_TYPES: dict[bytes, tuple[str, re.Pattern[str]]] = {
    event.full_type().encode(): (event.TYPE, _pattern(event)) for event in SESSIONS.events
}
"""By `ce_type`: the event's name, and the pattern of key, headers and body."""
