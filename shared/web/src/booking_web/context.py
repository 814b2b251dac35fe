"""What is known of the request in hand: its ids, its place in a trace, and that its process is about to end."""

import asyncio
import random
import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from opentelemetry import trace
from starlette.types import Scope

from booking_web.problems import Problem

SCOPE_KEY = "booking.context"
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Context:
    """`request_id` names this request, `correlation_id` the caller's larger undertaking (else the request itself).

    Services build an event's cause of it: `causation_id=request_id`.
    """

    request_id: str
    correlation_id: str
    incoming_traceparent: str

    @property
    def traceparent(self) -> str:
        """The current span's traceparent; without telemetry the caller's own, or one made up for this request."""
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return self.incoming_traceparent
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"

    @property
    def trace_id(self) -> str:
        """The 32 hexadecimal digits that all hops share."""
        return self.traceparent[3:35]


def context_of(headers: dict[bytes, bytes]) -> Context:
    """The context of a request's headers; what a caller sends in a wrong shape is ignored, as W3C asks."""
    request_id = _valid(_ID, headers.get(b"x-request-id")) or str(uuid.uuid4())
    return Context(
        request_id=request_id,
        correlation_id=_valid(_ID, headers.get(b"x-correlation-id")) or request_id,
        incoming_traceparent=_valid(_TRACEPARENT, headers.get(b"traceparent")) or _made_up(),
    )


def _valid(pattern: re.Pattern[str], value: bytes | None) -> str | None:
    text = (value or b"").decode("latin-1")
    return text if pattern.fullmatch(text) else None


def _made_up() -> str:
    # Not sampled (00): there is no span behind it, only an id that ties the hops of one request together.
    return f"00-{_random.getrandbits(128) or 1:032x}-{_random.getrandbits(64) or 1:016x}-00"


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
