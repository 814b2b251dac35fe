"""The OpenTelemetry SDK set up for export; imported only when an endpoint is set."""

import os
import sys
from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from booking_process.logs import redacted_text

_SPANS_PER_EXPORT = 128
_SWITCH_SECONDS = 0.0005
"""The export encodes in a thread of its own. With Python's 5 ms the event loop would wait so long at each turn while it
does: by this and smaller exports the slowest hundredth of the commands under load takes half as long."""


class RedactedPaths(SpanProcessor):
    """Keeps secret feed addresses out of spans (T13): FastAPI records the concrete path."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Replaces the path before anything else sees it."""
        super().on_start(span, parent_context)
        path = (span.attributes or {}).get("url.path")
        if isinstance(path, str) and (clean := redacted_text(path)) != path:
            span.set_attribute("url.path", clean)

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing is left to do."""


def start_export(service: str, endpoint: str) -> Callable[[], None]:
    """Exports spans and metrics to the collector until the returned function is called."""
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "database")
    resource = Resource.create({"service.name": service, "service.namespace": "booking"})
    base = endpoint.rstrip("/")
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(RedactedPaths())
    exporter = OTLPSpanExporter(f"{base}/v1/traces")
    traces.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=_SPANS_PER_EXPORT))
    sys.setswitchinterval(_SWITCH_SECONDS)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics"))
    meters = MeterProvider(resource=resource, metric_readers=[reader], shutdown_on_exit=False)
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(meters)
    # Statements are ours and hold no values; parameters would.
    PsycopgInstrumentor().instrument(capture_parameters=False, enable_commenter=False)

    def stop() -> None:
        PsycopgInstrumentor().uninstrument()
        traces.shutdown()
        meters.shutdown(timeout_millis=3000)

    return stop
