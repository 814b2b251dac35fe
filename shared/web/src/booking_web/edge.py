"""The outermost layer of every request, one pure ASGI middleware: ids, limits, methods, bodies, headers, 500s, times.

One layer instead of eight: each costs a coroutine and a closure per message, and here they share what they look up.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi.routing import iter_route_contexts
from prometheus_client import Counter, Histogram
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from booking_process.database import Deadline, request_deadline
from booking_process.health import Health
from booking_process.telemetry import PROBES, RequestSpan
from booking_web.auth import QUOTA, Quota
from booking_web.conditions import conditions_of
from booking_web.context import SCOPE_KEY, Context, closing, context_of, route_template, stopping
from booking_web.problem_handlers import problem_response
from booking_web.problems import Problem, stale_version
from booking_web.spans import tell
from booking_web.strict import check_address, read_body

log = structlog.get_logger("http")

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=31536000"),
]
_OURS = frozenset({name for name, _ in _SECURITY_HEADERS})
_ALLOW_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SECONDS = Histogram(
    "booking_http_request_seconds", "HTTP requests by route template.", ["method", "route", "status"], buckets=_BUCKETS
)
_REQUESTS = Counter("booking_http_requests", "Requests but for probes, by what they came to.", ["kind", "outcome"])
_COUNTED = {  # at 0 before the first of each: `rate` sees no rise of a series that begins with it
    (kind, outcome): _REQUESTS.labels(kind, outcome)
    for kind in ("command", "read")
    for outcome in ("accepted", "refused", "failed")
}
_STREAM = b"text/event-stream; charset=utf-8"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_A_BODY = frozenset({b"content-type", b"content-length"})


class Edge:
    """Wraps the application; see the module."""

    def __init__(
        self, app: ASGIApp, *, max_body: int, body_seconds: float, slow_seconds: float, deadline: float, health: Health
    ) -> None:
        self._app = app
        self._health = health
        self._metrics = _Metrics()
        self._max_body = max_body
        self._body_seconds = body_seconds
        self._slow_seconds = slow_seconds
        self._deadline = deadline
        self._methods = _Methods()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._methods, self._health.stopping)
        token = request_deadline.set(exchange.deadline)
        ending = closing.set(self._health.closing)
        exchange.span.enter()
        try:
            if b"authorization" in exchange.headers:
                conditions_of(scope)  # a malformed one is refused on every route
            check_address(scope)
            body = await read_body(receive, exchange.headers, most=self._max_body, seconds=self._body_seconds)
            # Only now: a slow body that is still allowed must not use up the time that the database has (T6).
            exchange.deadline.at = asyncio.get_running_loop().time() + self._deadline
            if scope["method"] == "OPTIONS" and (methods := exchange.methods()):
                await Response(status_code=204, headers={"Allow": _allow(methods)})(scope, receive, exchange.send)
            else:
                await self._app(exchange.scope, _replayed(body, receive), exchange.send)
        except Problem as problem:
            await exchange.refuse(problem)
        except asyncio.CancelledError:
            # The server gives up what a stop can't wait for; unanswered, it would say 500 itself.
            if exchange.status or not self._health.closing.is_set():
                raise
            await exchange.refuse(stopping())
        except Exception as error:
            if exchange.enough:  # of a stream that was asked for by HEAD
                return
            exchange.error = type(error).__qualname__
            # The framework's own 500 would re-raise, and the server would log the message with whatever data is in it.
            log.exception("unhandled_error", request_id=exchange.context.request_id)
            if exchange.status:
                raise
            await exchange.refuse(Problem(500, "internal_error", "Something went wrong here. Try again later."))
        finally:
            request_deadline.reset(token)
            closing.reset(ending)
            self._observe(scope["method"], exchange)
            exchange.span.leave()

    def _observe(self, method: str, exchange: "_Exchange") -> None:
        ended = time.perf_counter() if exchange.begun is None else exchange.begun
        seconds = max(0.0, ended - exchange.started - exchange.deadline.waited)
        route = route_template(exchange.scope) or "unmatched"
        self._metrics.observe(method, route, exchange.status or 499, seconds)
        keep = exchange.status >= 500 or exchange.error is not None or seconds > self._slow_seconds
        if keep:
            log.warning(
                "http_request",
                method=method,
                route=route,
                status=exchange.status,
                seconds=round(seconds, 4),
                request_id=exchange.context.request_id,
                trace_id=exchange.context.trace_id,
            )
        scope, span, error = exchange.scope, exchange.span, exchange.error
        tell(method, scope, span, status=exchange.status, error=error, seconds=seconds, keep=keep)


class _Enough(OSError):
    """Ends a stream whose headers were all that was asked for; the framework takes it for a caller who went away."""


class _Exchange:
    """One request and its answer.

    HEAD is answered by what answers GET, and its body left away: so both have the same headers (RFC 9110 §9.3.2).
    """

    def __init__(self, scope: Scope, send: Send, methods: "_Methods", stopping: asyncio.Event) -> None:
        self.started = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.span = RequestSpan(self.headers.get(b"traceparent", b"").decode("latin-1"))
        self.context: Context = context_of(self.headers, self.span.context)
        self.error: str | None = None
        self.begun: float | None = None
        """When a stream began: how long it goes on is not how long its answer took."""
        self.deadline = Deadline()
        self._methods = methods
        self.status = 0
        self._stopping = stopping
        self.enough = False
        self._head = scope["method"] == "HEAD"
        self._send = send
        self._over = False
        scope[SCOPE_KEY] = self.context
        self.scope: Scope = {**scope, "method": "GET"} if self._head else scope

    def methods(self) -> frozenset[str]:
        """What may be asked of the path."""
        return self._methods.of(self.scope["app"].routes, self.scope["path"])

    async def send(self, message: Message) -> None:
        if self._over:
            return
        if message["type"] == "http.response.start":
            if (judged := self._judged(message)) is not None:
                await self._instead(judged, message)
                return
            self.status = message["status"]
            self.deadline.at = float("inf")  # a stream goes on as long as it likes
            self._complete(message.setdefault("headers", []))
            if (b"content-type", _STREAM) in message["headers"]:
                self.begun = time.perf_counter()
        elif self._head:
            if message.get("more_body", False):
                self.enough = True
                raise _Enough
            return
        await self._send(message)
        if self._head:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        given = {name for name, _ in headers} & _OURS
        headers.extend(header for header in _SECURITY_HEADERS if header[0] not in given)
        headers.append((b"x-request-id", self.context.request_id.encode()))
        headers.append((b"trace-id", self.context.trace_id.encode()))
        quota: Quota | None = self.scope.get(QUOTA)
        if quota is not None:
            headers.extend(quota.headers())
        if self._stopping.is_set() and b"connection" not in dict(headers):
            headers.append((b"connection", b"close"))  # the next request goes to a copy that stays
        if b"cache-control" not in dict(headers):
            headers.append((b"cache-control", b"no-store"))
        if self.status == 405:  # the router knows the methods of the last route only, not of the path (§15.5.6)
            headers[:] = [header for header in headers if header[0] != b"allow"]
            headers.append((b"allow", _allow(self.methods()).encode()))

    def _judged(self, start: Message) -> int | None:
        """What this request's conditions make of the answer to a read that carries an ETag (RFC 9110 §13.2.2)."""
        # Without a token it is a calendar application's feed, which has its own, lenient reading.
        if start["status"] != 200 or self.scope["method"] != "GET" or b"authorization" not in self.headers:
            return None
        tag = dict(start.get("headers", ())).get(b"etag")
        return conditions_of(self.scope).of_read(tag.decode("latin-1")) if tag else None

    async def _instead(self, status: int, start: Message) -> None:
        if status == 304:
            kept = [header for header in start["headers"] if header[0] not in _OF_A_BODY]
            await self.send({"type": "http.response.start", "status": 304, "headers": kept})
            await self.send({"type": "http.response.body", "body": b""})
        else:
            await self.refuse(stale_version())
        self._over = True

    async def refuse(self, problem: Problem) -> None:
        await problem_response(problem, self.scope["path"])(self.scope, _nothing_more, self.send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    handed_over = False

    async def replay() -> Message:
        nonlocal handed_over
        if handed_over:
            return await receive()
        handed_over = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _nothing_more() -> Any:
    return {"type": "http.disconnect"}


class _Methods:
    """The methods of every path of an application, looked up when first asked for."""

    def __init__(self) -> None:
        self._table: list[tuple[re.Pattern[str], frozenset[str]]] | None = None

    def of(self, routes: Sequence[BaseRoute], path: str) -> frozenset[str]:
        """What may be asked of this path; empty for one that does not exist."""
        if self._table is None:
            found = [(one.path_regex, one.methods) for one in iter_route_contexts(routes) if one.methods]
            self._table = [(pattern, frozenset(methods)) for pattern, methods in found]
        methods = frozenset[str]().union(*(methods for pattern, methods in self._table if pattern.match(path)))
        if not methods:
            return methods
        return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set[str]())


def _allow(methods: frozenset[str]) -> str:
    """The value of an `Allow` header."""
    return ", ".join(sorted(methods, key=_ALLOW_ORDER.index))


class _Metrics:
    """Observes requests; keeps each label set's child, since looking one up costs as much as observing."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is a template, so that the number of series is bounded; so are `method` and `status`."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            known = method if method in _ALLOW_ORDER else "other"
            child = _SECONDS.labels(known, route, str(status))
            if known == method:
                self._children[key] = child
        child.observe(seconds)
        if route not in PROBES:
            outcome = "failed" if status >= 500 else "refused" if status >= 400 else "accepted"
            _COUNTED["read" if method in _READS else "command", outcome].inc()
