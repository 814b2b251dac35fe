"""The outermost layer of every request, one pure ASGI middleware: ids, limits, strict bodies, headers, metrics, 500s.

One layer instead of eight: each costs a coroutine and a closure per message, and here they share what they look up.
"""

import asyncio
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from booking_chassis.closing import closing, stopping
from booking_chassis.context import SCOPE_KEY, Context, context_of, route_template
from booking_chassis.database import Deadline, request_deadline
from booking_chassis.failures import described
from booking_chassis.health import Health
from booking_chassis.metrics import HttpMetrics
from booking_chassis.problem_handlers import problem_response
from booking_chassis.problems import Problem
from booking_chassis.strict_json import check_json

log = structlog.get_logger("http")

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=31536000"),
]
_SLOW_SECONDS = 1.0
_OURS = frozenset({name for name, _ in _SECURITY_HEADERS})


class Edge:
    """Wraps the application; see the module."""

    def __init__(
        self, app: ASGIApp, *, metrics: HttpMetrics, max_body: int, body_seconds: float, deadline: float, health: Health
    ) -> None:
        self._app = app
        self._health = health
        self._metrics = metrics
        self._max_body = max_body
        self._body_seconds = body_seconds
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._deadline, self._health.stopping)
        token = request_deadline.set(exchange.deadline)
        ending = closing.set(self._health.closing)
        try:
            body = await self._body(scope, receive, exchange.headers)
            await self._app(scope, _replayed(body, receive), exchange.send)
        except Problem as problem:
            await exchange.refuse(problem)
        except asyncio.CancelledError:
            # The server gives up what a stop can't wait for; unanswered, it would say 500 itself.
            if exchange.status or not self._health.closing.is_set():
                raise
            await exchange.refuse(stopping())
        except Exception as error:
            # The framework's own 500 would re-raise, and the server would log the message with whatever data is in it.
            log.error("unhandled_error", **described(error), request_id=exchange.context.request_id)  # noqa: TRY400
            if exchange.status:
                raise
            await exchange.refuse(Problem(500, "internal_error", "Something went wrong here. Try again later."))
        finally:
            request_deadline.reset(token)
            closing.reset(ending)
            self._observe(scope, exchange)

    async def _body(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        if b"\x00" in scope["path"].encode("utf-8", "replace") or b"%00" in scope["query_string"]:
            raise Problem(400, "bad_request", "The address holds U+0000.")
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return b""
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await self._read(receive, headers)
        except TimeoutError:
            raise _too_slow(self._body_seconds) from None
        # A provider's notification carries no bearer token: its route reads the raw bytes and answers by its own rules.
        if body and b"authorization" in headers:
            if not _is_json(headers.get(b"content-type", b"")):
                raise Problem(415, "unsupported_media_type", "Send JSON, as application/json.")
            check_json(body)
        return body

    async def _read(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > self._max_body:
            raise _too_large(self._max_body)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "bad_request", "The body ended early.")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._max_body:
                raise _too_large(self._max_body)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _observe(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        route = route_template(scope) or "unmatched"
        self._metrics.observe(scope["method"], route, exchange.status or 499, seconds)
        if exchange.status >= 500 or seconds > _SLOW_SECONDS:
            log.warning(
                "http_request",
                method=scope["method"],
                route=route,
                status=exchange.status,
                seconds=round(seconds, 4),
                request_id=exchange.context.request_id,
                trace_id=exchange.context.trace_id,
            )


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, deadline: float, stopping: asyncio.Event) -> None:
        self.started = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.context: Context = context_of(self.headers)
        self.deadline = Deadline(asyncio.get_running_loop().time() + deadline)
        self.status = 0
        self._stopping = stopping
        self._scope = scope
        self._send = send
        scope[SCOPE_KEY] = self.context

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.deadline.at = float("inf")  # a stream goes on as long as it likes
            headers: list[tuple[bytes, bytes]] = message.setdefault("headers", [])
            given = {name for name, _ in headers} & _OURS
            headers.extend(header for header in _SECURITY_HEADERS if header[0] not in given)
            headers.append((b"x-request-id", self.context.request_id.encode()))
            headers.append((b"trace-id", self.context.trace_id.encode()))
            if self._stopping.is_set() and b"connection" not in dict(headers):
                headers.append((b"connection", b"close"))  # the next request goes to a copy that stays
            if b"cache-control" not in dict(headers):
                headers.append((b"cache-control", b"no-store"))
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        await problem_response(problem, self._scope["path"])(self._scope, _nothing_more, self.send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    handed_over = False

    async def replay() -> Message:
        nonlocal handed_over
        if handed_over:
            return await receive()
        handed_over = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind.startswith(b"application/") and (kind.endswith((b"/json", b"+json")))


async def _nothing_more() -> Any:
    return {"type": "http.disconnect"}


def _too_large(limit: int) -> Problem:
    # The rest of the body stays unread, so the connection cannot be used again.
    return Problem(413, "too_large", f"The body is over {limit} bytes.", headers={"Connection": "close"})


def _too_slow(seconds: float) -> Problem:
    # Before any token was looked at: whoever sends a byte a minute would hold connections for nothing (T6).
    return Problem(408, "timeout", f"The body took longer than {seconds:g} seconds.", headers={"Connection": "close"})
