"""OpenTelemetry: traces and durations over OTLP/HTTP when an endpoint is set; else nothing, nor an import of the SDK.

Whether a request is traced is decided as it begins: as its caller decided, else by OTEL_TRACES_SAMPLER, a tenth by
default. One that is not traced records nothing; its span is written when it has ended, and only if it failed or was
slow. So every span of a request is written at its end: until then its ids are all that logs and others need
([ADR 14](docs/adr/0014-sampled-traces.md)).

One trace goes from the HTTP call through the `traceparent` stored with the event and its Kafka header to the record's
publishing, to each consumer that takes it, and to each message that it causes: all are children of the call, and linked
to it, however much later they come.
"""

import asyncio
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Token
from typing import Any, Protocol

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from booking_process.ended_span import Attributes, EndedSpan
from booking_process.settings import ServiceSettings

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_tracer = trace.get_tracer("booking")
_random = random.SystemRandom()


class Export(Protocol):
    """What the SDK does once an endpoint is set."""

    def samples(self, parent: SpanContext | None, trace_id: int) -> bool:
        """Whether a request is traced, by the configured sampler."""
        ...

    def write(self, span: EndedSpan) -> None:
        """Export it, sampled or not."""
        ...

    def observe(self, seconds: float, attributes: Attributes) -> None:
        """Count a request's duration."""
        ...

    def stop(self) -> None:
        """Export what is left, and end."""
        ...


_running: list[Export] = []
"""The export of this process, once it is started."""


def start(service: str, mode: str, settings: ServiceSettings) -> Callable[[], None]:
    """Starts the export and returns what flushes and ends it; does nothing without an endpoint."""
    if not settings.otel_exporter_otlp_endpoint:
        return _nothing
    from booking_process.telemetry_export import SdkExport  # noqa: PLC0415 - half a second that only export needs

    export = SdkExport(service, mode, settings)
    _running[:] = [export]

    def stop() -> None:
        _running.clear()
        export.stop()

    return stop


async def ended(flush: Callable[[], None], seconds: float) -> None:
    """Ends the export. A collector that doesn't answer is left after so many seconds, with the spans it lacks.

    In a daemon thread of its own: one of the loop's executor would hold the interpreter's exit.
    """
    if flush is _nothing:
        return
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            flush()
        finally:
            with suppress(RuntimeError):  # the loop has gone on without us
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="flush", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done.wait()


class RequestSpan:
    """The span of a request in hand: ids from the start, written at the end or not at all.

    Without an export it is the caller's span, which is handed on as it is, or ids made up for this request.
    """

    __slots__ = ("_began_at", "_parent", "_token", "context")

    def __init__(self, traceparent: str | None) -> None:
        self._began_at = time.time_ns()
        self._parent = parent = span_context(traceparent)
        self._token: Token[Context] | None = None
        if parent is not None and not _running:
            self.context = parent
            return
        bits = _random.getrandbits(192)
        trace_id, span_id = parent.trace_id if parent else (bits >> 64) or 1, bits & (1 << 64) - 1 or 1
        sampled = bool(_running) and _running[0].samples(parent, trace_id)
        self.context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(int(sampled)))

    def enter(self) -> None:
        """Makes it the current span, of logs and of what is traced beneath it, until `leave` in the same task."""
        self._token = context.attach(trace.set_span_in_context(NonRecordingSpan(self.context)))

    def leave(self) -> None:
        """Makes it the current span no longer."""
        if self._token is not None:
            context.detach(self._token)

    def end(self, name: str, seconds: float, attributes: Attributes, *, failed: bool, keep: bool) -> None:
        """Writes it, where it is sampled or to be kept."""
        if _running and (keep or self.context.trace_flags.sampled):
            ended_at = self._began_at + int(seconds * 1e9)
            span = (name, SpanKind.SERVER, self.context, self._parent, (), self._began_at, ended_at, attributes, failed)
            _running[0].write(EndedSpan(*span))


def observe(seconds: float, attributes: Attributes) -> None:
    """Counts a request's duration, where there is an export."""
    if _running:
        _running[0].observe(seconds, attributes)


@contextmanager
def linked_span(
    name: str, *, traceparent: str | None, attributes: Attributes | None = None, kind: SpanKind = SpanKind.CONSUMER
) -> Generator[Span]:
    """A span of asynchronous work, child of what caused it and linked to it; an error marks it without its message.

    One that fails is written whether it is sampled or not.
    """
    cause, began_at, given = span_context(traceparent), time.time_ns(), dict(attributes or {})
    links = [Link(cause)] if cause else []
    around = trace.set_span_in_context(NonRecordingSpan(cause)) if cause else None
    with _tracer.start_as_current_span(
        name,
        context=around,
        kind=kind,
        links=links,
        attributes=given,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            if _running and not span.is_recording():
                given["error.type"] = type(error).__qualname__
                unsampled = (name, kind, span.get_span_context(), cause, links, began_at, time.time_ns(), given, True)
                _running[0].write(EndedSpan(*unsampled))
            raise


def span_context(traceparent: str | None) -> SpanContext | None:
    """The remote span that a stored traceparent names, None for none or a malformed one."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    known = SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16)))
    return known if known.is_valid else None


def is_probe(scope: Mapping[str, Any]) -> bool:
    """Whether a request is a probe or a scrape, which nobody wants traced."""
    return scope.get("path") in PROBES


def _nothing() -> None:
    """Nothing was started."""
