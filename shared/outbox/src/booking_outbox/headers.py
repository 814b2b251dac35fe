"""The envelope from columns to a record's headers block, without parsing what is only passed on.

The same headers as `booking_contracts.envelope.Envelope.headers` (test_record__is_what_the_contracts_decode), in the
form in which `encoding` puts them into a record: their number, then each name and value. What repeats per type is
built once.
"""

from functools import lru_cache

from booking_contracts.event import schema_uri
from booking_contracts.topics import full_type
from booking_outbox.encoding import VARINT, header, header_name

_ID, _SUBJECT = header_name("ce_id") + VARINT[36], header_name("ce_subject")  # an id is a UUID's 36 characters
_TIME, _SEQUENCE = header_name("ce_time"), header_name("ce_sequence")
_ACTOR, _CORRELATION = header_name("ce_actor"), header_name("ce_correlationid")
_CAUSATION, _TRACE = header_name("ce_causationid"), header_name("traceparent")
_FEWEST = 11  # five common ones and six of the event, without causation and trace


@lru_cache(maxsize=1024)
def type_headers(source: str, type: bytes, type_version: bytes) -> bytes:  # noqa: A002 the column's name
    """What all events of one type have in common."""
    name, version = type.decode(), int(type_version)
    return b"".join(
        (
            header("content-type", b"application/json"),
            header("ce_specversion", b"1.0"),
            header("ce_source", source.encode()),
            header("ce_type", full_type(name, version).encode()),
            header("ce_dataschema", schema_uri(name, version).encode()),
        )
    )


def instant(text: bytes) -> bytes:
    """PostgreSQL's UTC timestamptz text (``2026-12-01 09:00:00.5+00``) as RFC 3339."""
    return text[:10] + b"T" + text[11:-3] + b"Z"


def event_headers(  # noqa: PLR0917 - called for every event there is; keywords cost as much as the work
    common: bytes,
    subject: bytes,
    id: bytes,  # noqa: A002 the attribute's name
    sequence: bytes,
    time: bytes,
    actor: bytes,
    correlation_id: bytes,
    causation_id: bytes | None,
    traceparent: bytes | None,
) -> bytes:
    """The whole block of one record; a null one is left out (K10: a null header kills some consumers' parsers)."""
    varint, number, more = VARINT, _FEWEST, b""
    if causation_id is not None:
        number, more = number + 1, _CAUSATION + varint[len(causation_id)] + causation_id
    if traceparent is not None:
        number, more = number + 1, more + _TRACE + varint[len(traceparent)] + traceparent
    return b"".join(
        (
            varint[number],
            common,
            _ID,
            id,
            _SUBJECT,
            varint[len(subject)],
            subject,
            _TIME,
            varint[len(time)],
            time,
            _SEQUENCE,
            varint[len(sequence)],
            sequence,
            _ACTOR,
            varint[len(actor)],
            actor,
            _CORRELATION,
            varint[len(correlation_id)],
            correlation_id,
            more,
        )
    )
