"""A span per record, in the trace that began with the call that caused it."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from booking_contracts.decode import Record
from booking_contracts.envelope import traceparent_in

_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def record_span(consumer: str, record: Record, tracer: trace.Tracer | None = None) -> Generator[trace.Span]:
    """The processing of one record: child of the record's `traceparent`, and linked to it.

    Ids and positions only: neither the body nor an error's text goes into a span (reliability.md T32).
    """
    origin = _PROPAGATOR.extract({"traceparent": traceparent_in(record.headers) or ""})
    remote = trace.get_current_span(origin).get_span_context()
    with (tracer or trace.get_tracer("booking.consumer")).start_as_current_span(
        f"process {record.topic}",
        context=origin if remote.is_valid else None,
        kind=SpanKind.CONSUMER,
        links=[Link(remote)] if remote.is_valid else [],
        record_exception=False,
        set_status_on_exception=False,
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": consumer,
        },
    ) as span:
        yield span


def note(span: trace.Span, outcome: str) -> None:
    """What became of the record."""
    span.set_attribute("booking.outcome", outcome)
    if outcome in {"failed", "undecodable"}:
        span.set_status(StatusCode.ERROR, outcome)
