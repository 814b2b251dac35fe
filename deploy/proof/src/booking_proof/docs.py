"""`booking docs`: the reference of the joined documents as a page, from this checkout, without a network."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse

from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_local.servers.ports import free_port, is_free
from booking_web.reference import reference

PAGES = (("", "openapi.json", "Booking"), ("/operators", "openapi-operators.json", "Booking: operators"))
"""Below which path, of which file of `docs/`, by which title."""


def application(folder: Path) -> FastAPI:
    """`/docs` for gateways and `/operators/docs`, each with its document beside it. They show; they call nobody."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for prefix, file, title in PAGES:
        app.include_router(_document(folder / file), prefix=prefix)
        app.include_router(reference(title, calls=False), prefix=prefix)
    return app


def _document(file: Path) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def read_document() -> FileResponse:
        return FileResponse(file, media_type="application/json")

    return router


def docs(
    port: Annotated[int | None, typer.Option(min=1024, max=65535, help="Where [default: a free port].")] = None,
) -> None:
    """Show the API reference of all services in a browser, until Ctrl-C. Needs no stack and no network."""
    home = checkout()
    if home is None:
        raise Failure("The joined documents are in the checkout: run ./booking docs there.")
    chosen = free_port() if port is None else port
    if not is_free(chosen):
        raise Failure(f"Port {chosen} is in use by another program: give another --port.")
    for prefix, _, title in PAGES:
        print(f"{title:<20} http://127.0.0.1:{chosen}{prefix}/docs", flush=True)
    uvicorn.run(application(home / "docs"), host="127.0.0.1", port=chosen, log_level="warning", access_log=False)
