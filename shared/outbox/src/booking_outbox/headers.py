"""The envelope from columns to headers, without parsing what is only passed on.

The same headers as `booking_contracts.envelope.Envelope.headers` (test_headers__are_those_of_the_envelope); what
repeats per type is built once.
"""

from functools import lru_cache

from booking_contracts.registry import full_type, schema_uri
from booking_outbox.outgoing import Header


@lru_cache(maxsize=1024)
def type_headers(source: str, type: bytes, type_version: bytes) -> tuple[Header, ...]:  # noqa: A002 the column's name
    """What all events of one type have in common."""
    name, version = type.decode(), int(type_version)
    return (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_source", source.encode()),
        ("ce_type", full_type(name, version).encode()),
        ("ce_dataschema", schema_uri(name, version).encode()),
    )


def instant(text: bytes) -> bytes:
    """PostgreSQL's UTC timestamptz text (``2026-12-01 09:00:00.5+00``) as RFC 3339."""
    return text[:10] + b"T" + text[11:-3] + b"Z"


def event_headers(  # noqa: PLR0917 - called for every event there is; keywords would double its cost
    common: tuple[Header, ...],
    subject: bytes,
    id: bytes,  # noqa: A002 the attribute's name
    sequence: bytes,
    time: bytes,
    actor: bytes,
    correlation_id: bytes,
    causation_id: bytes | None,
    traceparent: bytes | None,
) -> list[Header]:
    """All headers of one record; a null one is left out (K10: a null header kills some consumers' parsers)."""
    headers = [
        *common,
        ("ce_id", id),
        ("ce_subject", subject),
        ("ce_time", time),
        ("ce_sequence", sequence),
        ("ce_actor", actor),
        ("ce_correlationid", correlation_id),
    ]
    if causation_id is not None:
        headers.append(("ce_causationid", causation_id))
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return headers
