"""Spans of what was published, as part of the trace that committed it; made when Kafka has acknowledged.

Few records are traced, and only those carry a `traceparent`: of all others nothing more than that is looked at.
"""

import re
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from booking_outbox._encoding import Outgoing

_HEADER = re.compile(rb"traceparent.00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.DOTALL)
_LENGTH = len("traceparent") + 1 + 55
"""The last header of a record's bytes: its name, its value's length, its value (`booking_contracts.wire`)."""
_tracer = trace.get_tracer("booking.relay")


def trace_published(topic: str, partition: int, records: Sequence[Outgoing], began_at: int) -> None:
    """A span for each traced record of an acknowledged batch, sent at `began_at` (nanoseconds since 1970)."""
    for record in records:
        if record.record[-55:-52] != b"00-" or (found := _HEADER.fullmatch(record.record[-_LENGTH:])) is None:
            continue
        cause = SpanContext(int(found[1], 16), int(found[2], 16), True, TraceFlags(int(found[3], 16)))
        if not cause.is_valid:
            continue
        _tracer.start_span(
            f"publish {topic}",
            context=trace.set_span_in_context(NonRecordingSpan(cause)),
            kind=SpanKind.PRODUCER,
            links=[Link(cause)],
            start_time=began_at,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.batch.message_count": len(records),
            },
        ).end()
