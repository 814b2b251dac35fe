"""One trace across Kafka, and nothing in it but ids and places (T32)."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from shared.inbox.tests.consumer_rig import session_event

from booking_contracts.decode import Record
from booking_inbox.figures import note, record_span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def spans_of(record: Record, outcome: str) -> Any:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with record_span("calendar", record, provider.get_tracer("test")) as span:
        note(span, outcome)
    (finished,) = exporter.get_finished_spans()
    return finished


def record(traceparent: bytes | None) -> Record:
    message = session_event(uuid4(), 1)
    headers = (*message.headers, ("traceparent", traceparent))
    return Record(message.topic.name, 3, 9, message.key, message.value, headers, 0)


def test_a_record_with_a_traceparent__goes_on_in_its_trace_and_links_to_its_cause():
    span = spans_of(record(f"00-{TRACE}-{SPAN}-01".encode()), "applied")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == SPAN
    assert [f"{link.context.span_id:016x}" for link in span.links] == [SPAN]
    assert span.kind is SpanKind.CONSUMER
    assert span.attributes["messaging.kafka.offset"] == 9
    assert span.attributes["booking.outcome"] == "applied"


def test_a_record_without_or_with_a_broken_traceparent__begins_a_trace():
    for value in (None, b"", b"\xff\xfe", b"00-0-0-00"):
        span = spans_of(record(value), "applied")
        assert span.parent is None
        assert not span.links


def test_a_record_with_two_traces__begins_a_trace():
    """Which of the two is the cause nobody knows; the one that an agent doubled is still the one."""
    one, other = (f"00-{TRACE}-{SPAN[:-1]}{end}-01".encode() for end in "23")
    for second, parent in ((other, None), (one, "00f067aa0ba902b2")):
        doubled = replace(record(one), headers=(*record(one).headers, ("traceparent", second)))
        span = spans_of(doubled, "applied")
        assert (span.parent and f"{span.parent.span_id:016x}") == parent


def test_a_held_record__is_an_error_without_any_content():
    secret = replace(record(None), value=b"rina@example.com", key=b"rina")
    span = spans_of(secret, "undecodable")
    assert span.status.status_code is StatusCode.ERROR
    assert "rina" not in str(dict(span.attributes)) + span.name + str(span.events)
