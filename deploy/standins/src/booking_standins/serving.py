"""What each stand-in is made of: settings, what it was given, how it misbehaves, and its HTTP interface.

`PUT /behaviour {"mode": "slow", "seconds": 3, "times": 1, "only": "sari@..."}` makes it misbehave. `reject` and
`throttle` may name what is said: `code`, or for the mailbox `step` (`mail`, `rcpt`, `data`) and the whole `reply`, such
as `550 5.4.5 Daily user sending limit exceeded`. `fail_later` takes a message and tells of its failure (`code`) later.
"""

import asyncio
import json
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

MODES = ("ok", "down", "slow", "reject", "throttle", "break_after_accept", "fail_later")
STEPS = ("mail", "rcpt", "data")


def setting(name: str, default: str = "") -> str:
    """An environment variable; a file of that name in SECRETS_DIR wins, as in the services."""
    kept = Path(os.environ.get("SECRETS_DIR", "/nonexistent")) / name.lower()
    return kept.read_text("utf-8").strip() if kept.is_file() else os.environ.get(name, default)


def state_file(name: str) -> Path:
    """Where a stand-in keeps what it was given: in STATE_FOLDER, else in the working directory."""
    folder = Path(setting("STATE_FOLDER", "."))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def json_lines(path: Path) -> list[Any]:
    """The values of a file of JSON lines; a line cut by a crash is left out."""
    values: list[Any] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            values.append(json.loads(line))
        except ValueError:
            continue
    return values


class Received:
    """What a stand-in was given, newest last: appended to a file of JSON lines, so that a restart forgets nothing."""

    def __init__(self, path: Path) -> None:
        self.items: list[dict[str, Any]] = json_lines(path)
        self._file = path.open("a", encoding="utf-8")

    def append(self, item: dict[str, Any]) -> None:
        """Kept once this returns."""
        self.write(item)
        self.items.append(item)

    def write(self, item: dict[str, Any]) -> None:
        """Into the file alone, for who keeps the list in a form of their own."""
        self._file.write(json.dumps(item) + "\n")
        self._file.flush()

    def routes(self) -> list[Route]:
        """`GET /messages`, and `DELETE /messages` to forget everything."""

        async def messages(_: Request) -> Response:
            return JSONResponse({"items": self.items})

        async def empty(_: Request) -> Response:
            self.items.clear()
            self._file.truncate(0)
            return Response(status_code=204)

        return [Route("/messages", messages, methods=["GET"]), Route("/messages", empty, methods=["DELETE"])]


class Behaviour:
    """The present mode. `times` misdeeds at most (default: for ever), `only` for whom the text contains."""

    def __init__(self) -> None:
        self._set({"mode": "ok"})

    def _set(self, wish: dict[str, Any]) -> None:
        self.mode: str = wish["mode"]
        self.seconds = float(wish.get("seconds", 20.0))
        self.times: int | None = wish.get("times")
        self.only: str = str(wish.get("only", ""))
        self.code: int | None = wish.get("code")
        self.step: str = wish.get("step", "rcpt")
        self.reply: str | None = wish.get("reply")

    def take(self, whom: str = "") -> str:
        """The mode for this one request; counts it when it is a misdeed."""
        if self.mode == "ok" or (self.only and self.only not in whom):
            return "ok"
        if self.times is not None:
            if self.times <= 0:
                return "ok"
            self.times -= 1
        return self.mode

    async def delay(self) -> None:
        """What `slow` means: the answer comes, only late."""
        await asyncio.sleep(self.seconds)

    def routes(self) -> list[Route]:
        """`GET` and `PUT /behaviour`."""

        async def show(_: Request) -> Response:
            return JSONResponse(vars(self))

        async def change(request: Request) -> Response:
            wish = await request.json()
            if not isinstance(wish, dict) or wish.get("mode") not in MODES or wish.get("step", "rcpt") not in STEPS:
                return JSONResponse({"detail": f"mode is one of {', '.join(MODES)}, step of {', '.join(STEPS)}"}, 422)
            self._set(wish)
            return JSONResponse(vars(self))

        return [Route("/behaviour", show, methods=["GET"]), Route("/behaviour", change, methods=["PUT"])]


async def answered(request: Request, behaviour: Behaviour, mode: str, act: Callable[[], Response]) -> Response:
    """The answer of `act`: late, or never sent, where the mode is one of those. A caller that gave up while it waited
    is not served in its absence."""
    if mode == "slow":
        await behaviour.delay()
        await asyncio.sleep(0)
        if await request.is_disconnected():
            return Response(status_code=499)
    answer = act()
    if mode == "break_after_accept":  # the request was taken, and its sender can't know
        abort: Callable[[], None] = request.scope.get("abort", lambda: None)
        abort()
        return Response(status_code=502)
    return answer


class _KnowsItsConnection:
    """Gives the handlers the connection's abort(): ASGI has no word for it, the object of uvicorn's `send` does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:
            scope["abort"] = transport.abort
        await self.app(scope, receive, send)


def application(
    routes: Sequence[BaseRoute], lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None
) -> ASGIApp:
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
