"""A request as OpenTelemetry's conventions tell of it: its span's name, and attributes of span and duration.

Written at the end of the request (booking_process/telemetry.py). FastAPI's own spans begin with it, sampled or not, and
its two instruments count each request: with them an untraced request of the sample took twice as much of the processor.
"""

from starlette.types import Scope

from booking_process.logs import redacted_query, redacted_text
from booking_process.telemetry import RequestSpan, is_probe, observe
from booking_web.context import route_template

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_LONGEST = 2048


def tell(
    asked: str, scope: Scope, span: RequestSpan, *, status: int, error: str | None, seconds: float, keep: bool
) -> None:
    """Counts the request and writes its span, if that is sampled or to be kept. `error`: the class of what broke."""
    if is_probe(scope):
        return
    method = asked if asked in _METHODS else "_OTHER"
    route = route_template(scope)
    attributes: dict[str, str | int] = {
        "url.scheme": scope.get("scheme", "http"),
        "http.request.method": method,
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if route is not None:
        attributes["http.route"] = route
    if status:
        attributes["http.response.status_code"] = status
    failed = error is not None or status >= 500
    if failed:
        attributes["error.type"] = error or str(status)
    observe(seconds, attributes)
    if keep or span.context.trace_flags.sampled:
        verb = "HTTP" if method == "_OTHER" else method
        name = f"{verb} {route}" if route else verb
        span.end(name, seconds, {**attributes, **_address(scope, asked, method)}, failed=failed, keep=keep)


def _address(scope: Scope, asked: str, method: str) -> dict[str, str | int]:
    """Where it went; a feed's address is a secret (T13), and so is the ticket of a stream (T35)."""
    found: dict[str, str | int] = {"url.path": redacted_text(scope["path"])[:_LONGEST]}
    if scope["query_string"]:
        found["url.query"] = redacted_query(scope["query_string"].decode("latin-1"))[:_LONGEST]
    if scope.get("server"):
        host, port = scope["server"]
        found["server.address"] = host
        if port is not None:
            found["server.port"] = port
    if asked != method:
        found["http.request.method_original"] = asked[:_LONGEST]
    return found
