"""Changes are taken from our own pages alone: a form of another site is refused, whatever cookies came with it.

Browsers say by themselves where a request was made (`Sec-Fetch-Site`; `Origin` where they are old or the address is no
secure one), and no page can change that. So forms need no token, which would be stale in a second tab, after the back
button, or after signing in anew.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOriginMiddleware:
    """403 for an unsafe request of another origin, or of nobody knows whom."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self.app = app
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(public_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _SAFE and not self._ours(Request(scope)):
            refused = PlainTextResponse("This form was not sent by a page of ours.", 403)
            await refused(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _ours(self, request: Request) -> bool:
        site = request.headers.get("sec-fetch-site")
        return site == "same-origin" if site is not None else request.headers.get("origin") == self._origin
