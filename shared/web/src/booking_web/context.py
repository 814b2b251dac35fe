"""What is known of the request in hand: its ids, its place in a trace, and that its process is about to end."""

import asyncio
import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from opentelemetry.trace import SpanContext
from starlette.types import Scope

from booking_web.problems import Problem

SCOPE_KEY = "booking.context"
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Context:
    """`request_id` names this request, `correlation_id` the caller's larger undertaking (else the request itself).

    Services build an event's cause of it: `causation_id=request_id`.
    """

    request_id: str
    correlation_id: str
    span: SpanContext

    @property
    def traceparent(self) -> str | None:
        """What stands for this request in a trace, for what it causes; None where it is not traced."""
        if not self.span.trace_flags.sampled:
            return None
        return f"00-{self.span.trace_id:032x}-{self.span.span_id:016x}-{int(self.span.trace_flags):02x}"

    @property
    def trace_id(self) -> str:
        """The 32 hexadecimal digits that all hops share, traced or not."""
        return f"{self.span.trace_id:032x}"


def context_of(headers: dict[bytes, bytes], span: SpanContext) -> Context:
    """The context of a request's headers; what a caller sends in a wrong shape is ignored, as W3C asks."""
    request_id = _valid(_ID, headers.get(b"x-request-id")) or str(uuid.uuid4())
    return Context(request_id, _valid(_ID, headers.get(b"x-correlation-id")) or request_id, span)


def _valid(pattern: re.Pattern[str], value: bytes | None) -> str | None:
    text = (value or b"").decode("latin-1")
    return text if pattern.fullmatch(text) else None


async def _context(request: Request) -> Context:
    return request.scope[SCOPE_KEY]


RequestContext = Annotated[Context, Depends(_context)]
"""The request's Context, as a parameter of a route."""


def route_template(scope: Scope) -> str | None:
    """``/v1/sessions/{session_id}``: the matched route with its prefixes, None when nothing matched."""
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path_format", None)


_NEVER = asyncio.Event()

closing: ContextVar[asyncio.Event] = ContextVar("closing", default=_NEVER)
"""Set once a stopping process takes no more requests. The edge puts it there for each request."""


def stopping() -> Problem:
    """503: the process ends before the request did. What it began may have been done."""
    return Problem(
        503,
        "unavailable",
        "This process is stopping. Send it again, with the same Idempotency-Key.",
        headers={"Retry-After": "1", "Connection": "close"},
    )


async def pause(seconds: float) -> None:
    """Sleeps so long, within a request. Raises `stopping()` as soon as the process takes no more requests."""
    event = closing.get()
    if event is _NEVER:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    raise stopping()
