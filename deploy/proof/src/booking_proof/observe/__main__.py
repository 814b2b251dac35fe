"""`python -m booking_proof.observe`: scrapes a local stack, judges, and shows it; `up --observe` starts it.

By the environment: `TARGETS` (JSON: of each process its metrics' address and its job), `HTTP_HOST`, `HTTP_PORT`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_proof.gameday.alarms import Watch, alarms, recordings
from booking_proof.observe.boards import boards
from booking_proof.observe.judged import EVERY_SECONDS, KEEP_SECONDS, Judged
from booking_proof.observe.page import page

_STANDS_STILL_SECONDS = 60.0
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}


def application(judged: Judged, home: Path) -> Starlette:
    """The page at `/`, runbooks as they are written, and `/healthz` and `/readyz` for the supervisor."""
    runbooks = {one.name: home / one.runbook for one in judged.alarms}

    async def show(_request: Request) -> Response:
        return HTMLResponse(page(judged), headers=_HEADERS)

    async def runbook(request: Request) -> Response:
        file = runbooks.get(request.path_params["alarm"])
        return PlainTextResponse("no such alarm", 404) if file is None else FileResponse(file, media_type="text/plain")

    async def health(request: Request) -> Response:
        fresh = time.time() - judged.at < _STANDS_STILL_SECONDS
        alive = fresh or (request.url.path == "/healthz" and not judged.at)  # the first round is under way
        return PlainTextResponse("ok" if alive else "no round of late", 200 if alive else 503)

    routes = [
        Route("/", show),
        Route("/runbooks/{alarm}", runbook),
        Route("/healthz", health),
        Route("/readyz", health),
    ]
    return Starlette(routes=routes)


async def observe(targets: dict[str, tuple[str, str]], host: str, port: int) -> None:
    """Until SIGTERM or SIGINT. Raises Failure outside a checkout, where the rules are."""
    home = checkout()
    if home is None:
        raise Failure("The rules and dashboards are in the checkout: run ./booking up --observe there.")
    folder = home / "deploy" / "observability"
    known, recorded = alarms(folder / "rules").values(), recordings(folder / "rules")
    shown = boards(folder / "grafana" / "dashboards")
    asked = [one.expression for board in shown for panel in board.panels for one in panel.queries]
    asked += [one.expression for one in (*known, *recorded)]
    watch = Watch(targets, asked, every=EVERY_SECONDS, keep=KEEP_SECONDS)
    judged = Judged(watch.samples, known, recorded, shown)
    config = uvicorn.Config(
        application(judged, home), host=host, port=port, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    watching, serving = asyncio.create_task(watch.run(judged.judge)), asyncio.create_task(server.serve())
    await asyncio.wait({watching, serving}, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        server.should_exit = True
        await serving
        watching.result()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    serving.result()


def main() -> int:
    """Exit code 1 with a sentence where it can't be."""
    targets = {name: (url, job) for name, (url, job) in json.loads(os.environ["TARGETS"]).items()}
    try:
        asyncio.run(observe(targets, os.environ["HTTP_HOST"], int(os.environ["HTTP_PORT"])))
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
