"""Serving a stand-in over HTTP: its settings from the environment, its probes, and cutting a connection on purpose."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def setting(name: str, default: str = "") -> str:
    """An environment variable; a file of that name in SECRETS_DIR wins, as in the services."""
    kept = Path(os.environ.get("SECRETS_DIR", "/nonexistent")) / name.lower()
    return kept.read_text("utf-8").strip() if kept.is_file() else os.environ.get(name, default)


def state_file(name: str) -> Path:
    """Where a stand-in keeps what it was given: in STATE_FOLDER, else in the working directory."""
    folder = Path(setting("STATE_FOLDER", "."))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def application(routes: Sequence[BaseRoute], lifespan: Lifespan | None = None) -> ASGIApp:
    """The stand-in's app with the probes that every process of the stack has."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    probes = [Route("/healthz", alive), Route("/readyz", alive)]
    return _KnowsItsConnection(Starlette(routes=[*routes, *probes], lifespan=lifespan))


def serve(app: ASGIApp) -> None:
    """Runs until told to stop. HTTP_HOST and HTTP_PORT say where."""
    uvicorn.run(
        app,
        host=setting("HTTP_HOST", "127.0.0.1"),
        port=int(setting("HTTP_PORT", "8000")),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


def cut(request: Request) -> Response:
    """Resets the connection before a byte of the answer: the request was taken, its sender can't know."""
    abort: Callable[[], None] | None = request.scope.get("abort")
    if abort is not None:
        abort()
    return Response(status_code=502)


async def still_there(request: Request) -> bool:
    """Whether the caller waits yet: one that gave up must not be served in its absence."""
    await asyncio.sleep(0)
    return not await request.is_disconnected()


class _KnowsItsConnection:
    """Gives the handlers the connection's abort(): ASGI has no word for it, the object of uvicorn's `send` does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:
            scope["abort"] = transport.abort
        await self.app(scope, receive, send)
