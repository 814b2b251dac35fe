"""The OpenTelemetry SDK set up for export; imported only when an endpoint is set."""

import os
import socket
import sys
from collections.abc import Callable, Sequence

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.util.types import Attributes as SdkAttributes

from booking_process.ended_span import Attributes, EndedSpan
from booking_process.settings import ServiceSettings

_SPANS_PER_EXPORT = 128
_SWITCH_SECONDS = 0.0005
"""The export encodes in a thread of its own. With Python's 5 ms the event loop would wait so long at each turn while it
does: by this and smaller exports the slowest hundredth of the commands under load takes half as long."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The conventions' own, of `http.server.request.duration`."""
_SCOPE = InstrumentationScope("booking")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_RATIO: dict[str, Callable[[float], Sampler]] = {
    "always_on": lambda _: sampling.ALWAYS_ON,
    "always_off": lambda _: sampling.ALWAYS_OFF,
    "traceidratio": sampling.TraceIdRatioBased,
    "parentbased_always_on": lambda _: sampling.DEFAULT_ON,
    "parentbased_always_off": lambda _: sampling.DEFAULT_OFF,
    "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio,
}


class NoLonelyStatements(Sampler):
    """Another sampler, but for statements outside of any trace: a relay's, a timer's, a probe's, many a second."""

    def __init__(self, other: Sampler) -> None:
        self._other = other

    def should_sample(  # noqa: PLR0917 - the SDK's own
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: SdkAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """As the other one says; never for what calls something else and has no parent."""
        if kind is SpanKind.CLIENT and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.DROP)
        return self._other.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """For people."""
        return f"NoLonelyStatements{{{self._other.get_description()}}}"


class SdkExport:
    """Exports spans and durations to the collector until it is stopped (telemetry.Export)."""

    def __init__(self, service: str, mode: str, settings: ServiceSettings) -> None:
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "database")
        base = (settings.otel_exporter_otlp_endpoint or "").rstrip("/")
        # One name for all processes of a service: who asks for its traces need not know how it is deployed.
        self._resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": "booking",
                "service.instance.id": f"{socket.gethostname()}:{settings.http_port}",
                "booking.mode": mode,
                "booking.revision": settings.build_revision,
            }
        )
        self._sampler = NoLonelyStatements(_RATIO[settings.otel_traces_sampler](settings.otel_traces_sampler_arg))
        self._spans = BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces"), max_export_batch_size=_SPANS_PER_EXPORT)
        self._traces = TracerProvider(resource=self._resource, sampler=self._sampler, shutdown_on_exit=False)
        self._traces.add_span_processor(self._spans)
        sys.setswitchinterval(_SWITCH_SECONDS)
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics"))
        self._meters = MeterProvider(resource=self._resource, metric_readers=[reader], shutdown_on_exit=False)
        trace.set_tracer_provider(self._traces)
        metrics.set_meter_provider(self._meters)
        self._duration = self._meters.get_meter("booking").create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        # Statements are ours and hold no values; parameters would.
        PsycopgInstrumentor().instrument(capture_parameters=False, enable_commenter=False)

    def samples(self, parent: SpanContext | None, trace_id: int) -> bool:
        """Whether a request is traced, by the configured sampler."""
        around = trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
        return self._sampler.should_sample(around, trace_id, "", SpanKind.SERVER).decision.is_sampled()

    def write(self, span: EndedSpan) -> None:
        """Hands it to the export as one of the SDK's own; sampled, since the export leaves others out."""
        known = span.context
        ended = ReadableSpan(
            span.name,
            context=SpanContext(
                known.trace_id, known.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
            ),
            parent=span.parent,
            resource=self._resource,
            attributes=dict(span.attributes),
            links=span.links,
            kind=span.kind,
            status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
            start_time=span.began_at,
            end_time=span.ended_at,
            instrumentation_scope=_SCOPE,
        )
        self._spans.on_end(ended)

    def observe(self, seconds: float, attributes: Attributes) -> None:
        """Counts a request's duration."""
        self._duration.record(seconds, attributes)

    def stop(self) -> None:
        """Exports what is left, and ends."""
        PsycopgInstrumentor().uninstrument()
        self._traces.shutdown()
        self._meters.shutdown(timeout_millis=3000)
