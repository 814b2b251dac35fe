"""A line in the log for each request that failed or was slow: the route, never the address, which may hold a code."""

import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)
_SLOW = 1.0
_STREAM = b"text/event-stream; charset=utf-8"


class RequestsMiddleware:
    """Names each request by `X-Request-Id`, and keeps when it came as `request.state.asked_at`, in milliseconds."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, name, streamed = time.perf_counter(), 500, str(uuid.uuid4()), False
        state = scope.setdefault("state", {})
        state["request_id"], state["asked_at"] = name, time.time_ns() // 1_000_000

        async def sending(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
                streamed = (b"content-type", _STREAM) in message.get("headers", [])
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]
            await send(message)

        error: Exception | None = None
        try:
            await self.app(scope, receive, sending)
        except Exception as broken:  # noqa: BLE001 - the page that says so is sent already; who reads logs is told here
            error = broken
        finally:
            seconds = time.perf_counter() - began
            if status >= 500 or (seconds > _SLOW and not streamed):
                route = getattr(scope.get("route"), "path", None)
                told = {"method": scope["method"], "route": route, "status": status, "request_id": name}
                log.warning(
                    "a request failed" if status >= 500 else "a request was slow",
                    **told,
                    seconds=round(seconds, 3),
                    exc_info=error,
                )
