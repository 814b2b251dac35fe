"""OpenTelemetry: traces and metrics over OTLP/HTTP when an endpoint is set; else nothing, nor an import of the SDK.

One trace goes from the HTTP call (FastAPI's own spans; no other instrumentation of it, which would double them) through
the `traceparent` stored with the event and its Kafka header to a consumer's span, which is linked to it: the consumer's
work has a life of its own, minutes later or in a batch, so it is no child.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TraceFlags

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_tracer = trace.get_tracer("booking")


def start(service: str, endpoint: str | None) -> Callable[[], None]:
    """Starts the export and returns what flushes and ends it; does nothing without an endpoint."""
    if not endpoint:
        return _nothing
    from booking_process.telemetry_export import start_export  # noqa: PLC0415 - half a second that only export needs

    return start_export(service, endpoint)


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


@contextmanager
def linked_span(
    name: str,
    *,
    traceparent: str | None,
    attributes: Mapping[str, str | int] | None = None,
    kind: SpanKind = SpanKind.CONSUMER,
) -> Generator[Span]:
    """A span of asynchronous work, linked to what caused it; an error marks it without its message."""
    cause = span_context(traceparent)
    links = [Link(cause)] if cause else []
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        links=links,
        attributes=dict(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def span_context(traceparent: str | None) -> SpanContext | None:
    """The remote span that a stored traceparent names, None for none or a malformed one."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    context = SpanContext(
        int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16))
    )
    return context if context.is_valid else None


def is_probe(scope: Mapping[str, Any]) -> bool:
    """Whether a request is a probe or a scrape, which nobody wants traced."""
    return scope.get("path") in {"/healthz", "/readyz", "/metrics"}


def _nothing() -> None:
    """Nothing was started."""
