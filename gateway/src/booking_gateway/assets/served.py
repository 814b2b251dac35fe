"""Serves the browser's files from this origin, compressed once, for a year: a new content is a new name."""

import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from booking_gateway.assets.fetch import SERVED

KINDS = {".js": "text/javascript", ".css": "text/css"}
OURS = ("gateway.css", "live.js", "calendar.js")
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """All files, read when the gateway starts. What was not fetched is left out, and the pages do without."""

    def __init__(self, folder: Path | None) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[str, bytes, bytes]] = {}
        for name in OURS:
            self._take(name, files("booking_gateway.assets").joinpath(name).read_bytes())
        for name in SERVED:
            path = None if folder is None else folder / name
            if path is not None and path.is_file():
                self._take(name, path.read_bytes())
        self.missing = [name for name in SERVED if name not in self._names]

    def _take(self, name: str, content: bytes) -> None:
        stem, dot, ending = name.rpartition(".")
        hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:16]}{dot}{ending}"
        self._names[name] = hashed
        self._files[hashed] = (KINDS[dot + ending], content, gzip.compress(content, 9, mtime=0))

    def address(self, name: str) -> str | None:
        """The path of a file by its plain name; None for one that was not fetched."""
        hashed = self._names.get(name)
        return hashed and f"/assets/{hashed}"

    def router(self) -> APIRouter:
        """`GET /assets/{name}`."""
        router = APIRouter()

        @router.get("/assets/{name}")
        async def read_asset(request: Request, name: str) -> Response:
            if name not in self._files:
                return Response(status_code=404)
            kind, content, packed = self._files[name]
            headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
            if "gzip" in request.headers.get("accept-encoding", ""):
                return Response(packed, media_type=kind, headers={**headers, "Content-Encoding": "gzip"})
            return Response(content, media_type=kind, headers=headers)

        return router
