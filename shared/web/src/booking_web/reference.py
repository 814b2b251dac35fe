"""`/docs`: an OpenAPI document as a page for people. Swagger UI's two files come from the package `fastapi-swagger`;
nothing is loaded from elsewhere, and this page alone has a Content-Security-Policy that lets a script run.
"""

import html
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi_swagger import resources  # pyright: ignore[reportMissingTypeStubs]
from starlette.responses import FileResponse, HTMLResponse, Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def reference(title: str, *, calls: bool = True) -> APIRouter:
    """The page of the document `openapi.json` beside it; with `calls` it can also send requests, to its own origin.

    Its addresses are relative, so it works below any path.
    """
    router = APIRouter(include_in_schema=False)
    page = _PAGE.format(title=html.escape(title))
    start = _start(calls)

    @router.get("/docs")
    async def read_reference() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @router.get("/docs/start.js")
    async def read_start() -> Response:
        return Response(start, media_type="text/javascript")

    for name in _ASSETS:
        router.add_api_route(f"/docs/{name}", _asset(name), name=name)
    return router


def _start(calls: bool) -> str:
    options: dict[str, Any] = {
        "url": "openapi.json",
        "dom_id": "#reference",
        "deepLinking": True,
        "displayRequestDuration": True,
        "validatorUrl": None,  # another's service, to which it would send the document's address
        **({} if calls else {"supportedSubmitMethods": []}),
    }
    return f"SwaggerUIBundle({json.dumps(options, indent=2)});\n"


def _asset(name: str) -> Callable[[], Awaitable[FileResponse]]:
    file, kind = str(files(resources) / name), _ASSETS[name]

    async def read_asset() -> FileResponse:
        return FileResponse(file, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})

    return read_asset
